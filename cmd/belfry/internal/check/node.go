package check

import (
	"context"
	"errors"

	"belfry/pkg/amqpbus"
	"belfry/pkg/amqpbus/address"
	"belfry/pkg/amqpbus/rabbit"
)

// eachNode connects to every address of BELFRY_AMQP_URL and returns the first one that
// answers, or "". A node that is down is only a note if another one answers.
func eachNode(ctx context.Context, r *report, o rabbit.Options) (answers string) {
	nodes, err := address.ParseList(o.URL)
	if err != nil {
		r.bad("broker", err) // does not happen: the configuration was valid
		return ""
	}
	var failures []error
	for _, node := range nodes {
		o.URL = node.Reveal()
		probe, err := rabbit.OpenProbe(ctx, o)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		r.good("broker %s: %s, as user %s", probe.Address(), probe.Server(), probe.User())
		_ = probe.Close()
		if answers == "" {
			answers = o.URL
		}
	}
	for _, err := range failures {
		if answers != "" && !amqpbus.Standing(err) {
			r.note("broker: %v; programs use the next address", err)
		} else {
			r.bad(aboutOf(err, "broker"), err)
		}
	}
	return answers
}

// aboutOf returns the subject of a refusal for the report, or otherwise if err is none.
func aboutOf(err error, otherwise string) string {
	for _, row := range []struct {
		is    error
		about string
	}{
		{amqpbus.ErrLimit, "limits"},
		{amqpbus.ErrUserID, "user"},
		{amqpbus.ErrPermission, "permissions"},
		{amqpbus.ErrLayout, "topology"},
		{amqpbus.ErrArguments, "topology"},
		{amqpbus.ErrHomeNode, "cluster"},
		{amqpbus.ErrCredentials, "broker"},
		{amqpbus.ErrVirtualHost, "broker"},
	} {
		if errors.Is(err, row.is) {
			return row.about
		}
	}
	return otherwise
}
