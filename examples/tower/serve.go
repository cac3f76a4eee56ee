package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"belfry/pkg/amqpbus/address"
	"belfry/pkg/daemon"
	"belfry/pkg/emitter"
	"belfry/pkg/wellknown"
	"github.com/urfave/cli/v3"
)

// minSecret is the least length of a secret in bytes (RFC 7518 3.2 for HS256).
const minSecret = 32

// tokenLife is how long a websocket token is valid: the page fetches a new one
// for each connection.
const tokenLife = 5 * time.Minute

// Variables that Belfry's programs read too keep their names, so that one
// environment serves all.
func flags() []cli.Flag {
	env := cli.EnvVars
	return []cli.Flag{
		&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8050", Sources: env("TOWER_LISTEN"), Usage: "`address` of the API and the page"},
		&cli.StringFlag{Name: "database", Value: "tower.db", Sources: env("TOWER_DATABASE"), Usage: "SQLite `file`; :memory: keeps nothing"},
		&cli.IntFlag{Name: "session-limit", Value: 2, Sources: env("TOWER_SESSION_LIMIT"), Usage: "sessions of one user; a login above it ends the oldest"},
		&cli.StringSliceFlag{Name: "hosts", Sources: env("TOWER_HOSTS"), Usage: "`names` under which the page is served, separated by commas; addresses and localhost always are"},
		&cli.StringFlag{Name: "websocket-url", Sources: env("TOWER_WEBSOCKET_URL"), Usage: "where the page finds the gateway; empty: /websocket of its own address"},
		&cli.BoolFlag{Name: "demo-users", Sources: env("TOWER_DEMO_USERS"), Usage: "make the users alice, who sees every job, and bob; the password of both is tower"},
	}
}

func serveCommand() *cli.Command {
	env := cli.EnvVars
	return &cli.Command{
		Name:  "serve",
		Usage: "run the application beside Belfry",
		Description: "Example:\n  BELFRY_AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ BELFRY_JWT_SECRET_FILE=jwt.secret \\\n" +
			"  BELFRY_AUTHORIZE_SECRET_FILE=authorize.secret tower serve --demo-users",
		Flags: append(flags(),
			&cli.StringFlag{Name: "amqp-url", Sources: env("BELFRY_AMQP_URL"), Usage: "the `address` where events go: amqp://, amqps://, or embedded:// for belfry dev", HideDefault: true},
			&cli.BoolFlag{Name: "amqp-insecure", Sources: env("BELFRY_AMQP_INSECURE"), Usage: "allow a broker on another host without TLS"},
			&cli.BoolFlag{Name: "development", Sources: env("BELFRY_DEVELOPMENT"), Usage: "take the passwords and secrets that Belfry ships, which everybody knows"},
			&cli.IntFlag{Name: "shards", Value: 1, Sources: env("BELFRY_SHARDS"), Usage: "shards of the installation"},
			&cli.StringFlag{Name: "token-key-file", Sources: env("BELFRY_JWT_SECRET_FILE"), Usage: "`file` with the secret that signs tokens, the worker's too"},
			&cli.StringFlag{Name: "authorize-secret-file", Sources: env("BELFRY_AUTHORIZE_SECRET_FILE"), Usage: "`file` with what the worker sends with its question"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := errors.Join(noArguments(c), needed(c, "amqp-url", "token-key-file", "authorize-secret-file")); err != nil {
				return err
			}
			key, err := secret("BELFRY_JWT_SECRET_FILE", c.String("token-key-file"), c.Bool("development"))
			if err != nil {
				return err
			}
			authorize, err := secret("BELFRY_AUTHORIZE_SECRET_FILE", c.String("authorize-secret-file"), c.Bool("development"))
			if err != nil {
				return err
			}
			if err := ownPassword(c); err != nil {
				return err
			}
			out, err := daemon.OpenLog("info", "json")
			if err != nil {
				return err
			}
			defer out.Close()
			log := out.Logger
			return serve(ctx, settings{
				Listen: c.String("listen"), Database: c.String("database"), SessionLimit: c.Int("session-limit"),
				WebSocketURL: c.String("websocket-url"), DemoUsers: c.Bool("demo-users"), Hosts: c.StringSlice("hosts"),
				TokenKey: key, AuthorizeSecret: string(authorize),
				Emitter: emitter.Options{
					URL: c.String("amqp-url"), Insecure: c.Bool("amqp-insecure"), Shards: c.Int("shards"),
					Name: "tower", Quiet: true, Logger: log,
				},
			}, log)
		},
	}
}

// needed refuses a command without one of these options.
func needed(c *cli.Command, names ...string) error {
	var missing []string
	for _, f := range c.Flags {
		name := f.Names()[0]
		if slices.Contains(names, name) && c.String(name) == "" {
			missing = append(missing, fmt.Sprintf("--%s (%s)", name, strings.Join(f.(cli.DocGenerationFlag).GetEnvVars(), ", ")))
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("set %s: %s --help has an example, and tower demo needs nothing", strings.Join(missing, ", "), c.FullName())
}

// ownPassword refuses a broker's password that everybody knows. What is no
// address of a broker is told by the emitter.
func ownPassword(c *cli.Command) error {
	targets, err := address.ParseList(c.String("amqp-url"))
	for _, target := range targets {
		if err == nil && wellknown.Secret(target.Password) && !c.Bool("development") {
			return errors.New("--amqp-url (BELFRY_AMQP_URL) has a password that everybody knows, because it is shipped with Belfry: " + wellknown.Fix)
		}
	}
	return nil
}

// secret reads a file, without the line break at its end.
func secret(variable, path string, development bool) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: the worker reads the same secret; `openssl rand -hex 32` makes one", variable, err)
	}
	if text = bytes.TrimRight(text, "\r\n"); len(text) < minSecret {
		return nil, fmt.Errorf("%s: %s has %d bytes: write at least %d, as with `openssl rand -hex 32`", variable, path, len(text), minSecret)
	}
	if wellknown.Secret(string(text)) && !development {
		return nil, fmt.Errorf("%s: %s holds a secret that everybody knows, because it is shipped with Belfry: %s", variable, path, wellknown.Fix)
	}
	return text, nil
}

var errLimit = errors.New("--session-limit (TOWER_SESSION_LIMIT) must be at least 1")
