package dev

import (
	"fmt"
	"io"
	"net/url"
)

// websocket returns the websocket's address for browsers on this host.
func (d *Dev) websocket() string { return "ws://" + reachable(d.Addr()) + "/websocket/" }

// EmitURL returns the address to which events are emitted, for BELFRY_AMQP_URL. It contains
// the secret, unless that was given in the environment.
func (d *Dev) EmitURL() string {
	if d.cfg.Given {
		return "embedded://" + reachable(d.AdminAddr())
	}
	return "embedded://:" + d.cfg.Secret.Reveal() + "@" + reachable(d.AdminAddr())
}

// Greet prints the addresses and what can be done with them. self is the command that runs
// this program.
func (d *Dev) Greet(out io.Writer, self string) error {
	admin := reachable(d.AdminAddr())
	token, query := "$TOKEN", "<token>"
	if d.cfg.Token != "" {
		token, query = d.cfg.Token, url.QueryEscape(d.cfg.Token)
	}
	embedded, bearer := d.EmitURL(), "$BELFRY_EMIT_SECRET" //nolint:gosec // the variable's name
	if !d.cfg.Given {
		bearer = d.cfg.Secret.Reveal()
	}
	const event = `'{"group_name": "jobs", "unified_job_id": 42, "status": "running"}'`
	_, err := fmt.Fprintf(out, `Belfry: gateway and worker in this process, no broker, nothing is stored.

  websocket   %[1]s?token=%[2]s
  page        http://%[3]s/
  health      http://%[3]s/health/ready

Emit an event, from another shell:

  %[5]s emit jobs-status_changed %[6]s
  BELFRY_AMQP_URL=%[4]s   # for an application that emits
  curl -H "Authorization: Bearer %[7]s" -d %[6]s http://%[3]s/emit/jobs-status_changed

Watch for events:

  BELFRY_TOKEN=%[8]s BELFRY_URL=%[1]s %[5]s listen jobs-status_changed

Ctrl-C ends it.
`, d.websocket(), query, admin, embedded, self, event, bearer, token)
	if err != nil {
		return fmt.Errorf("print the addresses: %w", err)
	}
	return nil
}
