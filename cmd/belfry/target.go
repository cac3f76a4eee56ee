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

// useDoor takes the running `belfry dev` of this user where BELFRY_AMQP_URL says
// nothing, and reports whether there is one.
func useDoor(c *cli.Command) bool {
	if os.Getenv("BELFRY_AMQP_URL") != "" {
		return false
	}
	door := environment.FindDoor()
	u, err := url.Parse(door)
	if door == "" || err != nil || os.Setenv("BELFRY_AMQP_URL", door) != nil {
		return false
	}
	say(c, "belfry: BELFRY_AMQP_URL is not set: taking the belfry dev on %s", u.Host)
	return true
}

// answers looks whether a broker is there that nobody has named: to try for the
// whole time-out would be to wait for what was never started.
func answers(ctx context.Context, b settings.Broker) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	probe, err := rabbit.OpenProbe(ctx, environment.Connection(b, "belfry emit"))
	if err != nil {
		return fmt.Errorf("BELFRY_AMQP_URL is not set, and this host's default leads nowhere: %w; for a belfry dev, start it first or set BELFRY_AMQP_URL as it prints", err)
	}
	return probe.Close()
}
