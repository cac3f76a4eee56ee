package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/amqpbus/rabbit"
	"belfry/pkg/settings"
)

// useDev sets BELFRY_AMQP_URL to the running `belfry dev` of this user, if the variable is
// not set, and reports whether there is one.
func useDev(c *cli.Command) bool {
	if os.Getenv("BELFRY_AMQP_URL") != "" {
		return false
	}
	address := environment.FindAddress()
	u, err := url.Parse(address)
	if address == "" || err != nil || os.Setenv("BELFRY_AMQP_URL", address) != nil {
		return false
	}
	say(c, "belfry: BELFRY_AMQP_URL is not set: using the belfry dev on %s", u.Host)
	return true
}

// answers tries the default broker once, because an emitter would keep trying for the whole
// time-out although nothing was ever started there.
func answers(ctx context.Context, b settings.Broker) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	probe, err := rabbit.OpenProbe(ctx, environment.Connection(b, "belfry emit"))
	if err != nil {
		return fmt.Errorf("BELFRY_AMQP_URL is not set, and there is no broker at this host's default address: %w; to use belfry dev, start it first or set BELFRY_AMQP_URL to what it prints", err)
	}
	return probe.Close()
}
