package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"belfry/cmd/belfry/internal/permissions"
)

func permissionsCommand() *cli.Command {
	return &cli.Command{
		Name:  "permissions",
		Usage: "print the commands that give the broker's users their permissions",
		Description: "It prints a rabbitmqctl command for each role, or with --definitions the JSON that\n" +
			"rabbitmqctl import_definitions reads. It asks no broker and changes nothing.\n\n" +
			"Examples:\n" +
			"  belfry permissions --role gateway --vhost prod\n" +
			"  belfry permissions --definitions >permissions.json",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "role", Usage: "gateway, worker or backend", DefaultText: "all three"},
			&cli.StringFlag{Name: "user", Usage: "the broker user, with one --role", DefaultText: "belfry-ROLE"},
			&cli.StringFlag{Name: "vhost", Usage: "the virtual host", Value: "/"},
			&cli.BoolFlag{Name: "least", Usage: "a gateway's as with BELFRY_DECLARE=false: it cannot read others' questions and events from the queues", HideDefault: true},
			&cli.BoolFlag{Name: "definitions", Usage: "print JSON", HideDefault: true},
		},
		Action: printPermissions,
	}
}

func printPermissions(_ context.Context, c *cli.Command) error {
	if err := arguments(c, 0, 0); err != nil {
		return err
	}
	wanted := c.StringSlice("role")
	if len(wanted) == 0 {
		wanted = permissions.Roles()
	}
	if c.IsSet("user") && (len(wanted) != 1 || c.String("user") == "") {
		return usagef("--user needs exactly one --role, and must not be empty")
	}
	if c.String("vhost") == "" {
		return usagef("--vhost is empty: the usual one is /")
	}
	of := permissions.Of
	if c.Bool("least") {
		of = permissions.Least
	}
	var all []permissions.Definition
	for _, role := range wanted {
		set, known := of(role)
		if !known {
			return usagef("--role is %q: %s", role, strings.Join(permissions.Roles(), ", "))
		}
		if slices.ContainsFunc(all, func(d permissions.Definition) bool { return d.User == "belfry-"+role }) {
			continue // it was named twice
		}
		user := "belfry-" + role
		if c.IsSet("user") {
			user = c.String("user")
		}
		all = append(all, set.Definition(user, c.String("vhost")))
		if c.Bool("definitions") {
			continue
		}
		if err := set.Commands(c.Root().Writer, user, c.String("vhost")); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	if !c.Bool("definitions") {
		return nil
	}
	if err := permissions.Definitions(c.Root().Writer, all); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
