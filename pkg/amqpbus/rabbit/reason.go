package rabbit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"

	"belfry/pkg/amqpbus"
)

// reasons translates RabbitMQ's reasons for closing a channel or a connection. The code alone is
// ambiguous: 406 may mean a queue with other arguments, a limit, the user id, or a message that
// is too large. The first row that matches is used.
var reasons = []struct {
	code     int    // AMQP's; 0: any
	contains string // a part of the broker's text
	is       error  // what it means
	do       string // what to do about it
}{
	{amqp.InternalError, "feature flag is disabled", amqpbus.ErrNoStreams, ""},
	{amqp.PreconditionFailed, "invalid arg 'x-queue-type'", amqpbus.ErrNoStreams, ""},
	{amqp.PreconditionFailed, "inequivalent arg", amqpbus.ErrArguments, "delete it while nothing runs, or use the version and settings that made it"},
	{0, "is reached", amqpbus.ErrLimit, "raise it (rabbitmqctl set_vhost_limits, set_user_limits), or free what it counts; Belfry needs two connections and one queue for each process, and one queue for each shard"},
	{0, "has reached the", amqpbus.ErrLimit, "raise it (channel_max in rabbitmq.conf, rabbitmqctl set_user_limits), or free what it counts"},
	{0, "user_id property", amqpbus.ErrUserID, "write the user in BELFRY_AMQP_URL as the broker names it"},
	{amqp.AccessRefused, "exclusive use", amqpbus.ErrInUse, ""},
	{amqp.ResourceLocked, "", amqpbus.ErrInUse, ""},
	{amqp.AccessRefused, "access to", amqpbus.ErrPermission, "belfry permissions prints what each role needs"},
	{amqp.AccessRefused, "", amqpbus.ErrCredentials, "check BELFRY_AMQP_URL, its special characters percent-encoded, and the broker's users"},
	{amqp.NotAllowed, "not found", amqpbus.ErrVirtualHost, "correct the path of BELFRY_AMQP_URL, or make it (rabbitmqctl add_vhost)"},
	{amqp.NotAllowed, "access to vhost", amqpbus.ErrVirtualHost, "check the path of BELFRY_AMQP_URL, or give permissions (belfry permissions prints the commands)"},
	{amqp.InternalError, "is down", amqpbus.ErrVirtualHost, "start it again (rabbitmqctl restart_vhost), and see the broker's log for why it stopped"},
	{amqp.NotFound, "home node", amqpbus.ErrHomeNode, "start that node, or use BELFRY_QUEUE_TYPE=quorum, whose queues survive one"},
	{amqp.NotFound, "no queue", amqpbus.ErrNoQueue, ""},
	{amqp.NotFound, "no exchange", amqpbus.ErrNoQueue, "the first gateway or worker declares it"},
}

// reason translates an error of the library; the result contains the broker's own text. An error
// that does not come from the broker becomes ErrLinkLost.
func reason(err error) error {
	var e *amqp.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w: %w", amqpbus.ErrLinkLost, err)
	}
	for _, r := range reasons {
		if (r.code == 0 || r.code == e.Code) && strings.Contains(e.Reason, r.contains) {
			if r.do == "" {
				return fmt.Errorf("%w (%s)", r.is, e.Reason)
			}
			return fmt.Errorf("%w (%s): %s", r.is, e.Reason, r.do)
		}
	}
	if isSoft(e) {
		return fmt.Errorf("the broker refuses it: %d %s", e.Code, e.Reason)
	}
	return fmt.Errorf("%w: %d %s", amqpbus.ErrLinkLost, e.Code, e.Reason)
}

// becauseOf returns ErrLinkLost with the broker's reason, if it gave one.
func becauseOf(err error) error {
	why := reason(err)
	if errors.Is(why, amqpbus.ErrLinkLost) {
		return why
	}
	return fmt.Errorf("%w: %w", amqpbus.ErrLinkLost, why)
}

// isSoft reports whether an error ends only a channel and not the connection (AMQP 0-9-1, 1.2).
func isSoft(e *amqp.Error) bool {
	switch e.Code {
	case amqp.ContentTooLarge, amqp.NoConsumers, amqp.AccessRefused, amqp.NotFound, amqp.ResourceLocked, amqp.PreconditionFailed:
		return e.Server
	}
	return false
}

// code returns the AMQP reply code of an error; 0 for nil, -1 for an error without a code.
func code(err error) int {
	var e *amqp.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Code
	default:
		return -1
	}
}

// explain adds what to do to the error of a connection that could not be opened.
func explain(err error) error {
	var (
		said    *amqp.Error
		unknown *net.DNSError
		ca      x509.UnknownAuthorityError
		name    x509.HostnameError
		plain   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &said) && said.Server || code(err) == amqp.AccessRefused:
		return reason(err)
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return fmt.Errorf("%w: correct the host in BELFRY_AMQP_URL", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: is the broker running, and is BELFRY_AMQP_URL its address?", err)
	case errors.As(err, &ca):
		return fmt.Errorf("%w: name the broker's authority in BELFRY_AMQP_CA_FILE", err)
	case errors.As(err, &name):
		return fmt.Errorf("%w: write the host in BELFRY_AMQP_URL as the certificate does", err)
	case errors.As(err, &plain):
		return fmt.Errorf("%w: the port does not speak TLS; with amqps:// use the broker's TLS port, usually 5671", err)
	case errors.Is(err, io.EOF) || errors.As(err, &said) && said.Reason == io.EOF.Error():
		return fmt.Errorf("%w: the server closed the connection without an answer; is this the broker's AMQP port (5672, or 5671 with amqps://)?", err)
	default:
		return err
	}
}
