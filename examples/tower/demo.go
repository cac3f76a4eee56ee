package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"belfry/pkg/daemon"
	"belfry/pkg/emitter"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "run the application with a Belfry of its own",
		Description: "It starts `belfry dev` (gateway and worker in one process, no broker), and starts it\n" +
			"again when it ends. Log in with two browsers as two users.\n\n" +
			"Example, on other ports than the usual ones:\n  tower demo --listen 127.0.0.1:8060 --gateway 127.0.0.1:8061 --admin 127.0.0.1:9061",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8050", Usage: "`address` of the API and the page"},
			&cli.StringFlag{Name: "gateway", Value: "127.0.0.1:8051", Usage: "`address` of the gateway"},
			&cli.StringFlag{Name: "admin", Value: "127.0.0.1:9051", Usage: "`address` of Belfry's admin listener"},
			&cli.StringFlag{Name: "belfry", Usage: "the `program`; empty: belfry beside this one"},
			&cli.StringFlag{Name: "policy", Value: "configs/policy.tower-application.json", Usage: "the policy `file`"},
		},
		Action: demo,
	}
}

func demo(ctx context.Context, c *cli.Command) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tower-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for secrets and data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := prepare(c, dir)
	if err != nil {
		return err
	}
	out, err := daemon.OpenLog("warn", "console")
	if err != nil {
		return err
	}
	defer out.Close()
	log := out.Logger
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Belfry stops after the application, whose last events it takes.
	belfryCtx, stopBelfry := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBelfry()
	ended := make(chan error, 1)
	go func() { ended <- b.keep(belfryCtx); cancel() }()
	greet := func() {
		_, _ = fmt.Fprintf(c.Root().Writer, `Tower, the example application, with a Belfry of its own.

  page     http://%s/
  log in   alice / tower   (sees every job)
           bob / tower     (sees his own)

Use two browsers, or a private window, for two users. Ctrl-C ends it.
`, c.String("listen"))
	}
	err = serve(ctx, settings{
		Listen: c.String("listen"), Database: filepath.Join(dir, "tower.db"), SessionLimit: 2,
		WebSocketURL: "ws://" + c.String("gateway") + "/websocket/", DemoUsers: true,
		TokenKey: b.tokenKey, AuthorizeSecret: b.authorizeSecret, Started: greet,
		Emitter: emitter.Options{
			URL: "embedded://:" + b.emitSecret + "@" + c.String("admin"), Quiet: true, Logger: log, Timeout: 30 * time.Second,
		},
	}, log)
	stopBelfry()
	return errors.Join(err, <-ended)
}

// prepare draws secrets and writes them where both programs read them.
func prepare(c *cli.Command, dir string) (*belfry, error) {
	program := c.String("belfry")
	if program == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find belfry beside this program (or give --belfry): %w", err)
		}
		program = filepath.Join(filepath.Dir(self), "belfry")
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the program belfry: %w: make build makes it, or say where it is with --belfry", err)
	}
	policy, err := filepath.Abs(c.String("policy"))
	if err != nil {
		return nil, fmt.Errorf("--policy: %w", err)
	}
	if _, err := os.Stat(policy); err != nil {
		return nil, fmt.Errorf("the policy: %w: start it at the repository's top, or say where the file is with --policy", err)
	}
	_, port, err := net.SplitHostPort(c.String("listen"))
	if err != nil {
		return nil, fmt.Errorf("--listen: %w: write it as 127.0.0.1:8050", err)
	}
	b := &belfry{
		program: program, log: filepath.Join(dir, "belfry.log"),
		tokenKey: []byte(rand.Text() + rand.Text()), authorizeSecret: rand.Text() + rand.Text(), emitSecret: rand.Text(),
	}
	files := map[string]string{"jwt.secret": string(b.tokenKey), "authorize.secret": b.authorizeSecret}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write a secret: %w", err)
		}
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BELFRY_") { // the demo is the same wherever it runs
			b.env = append(b.env, v)
		}
	}
	b.env = append(b.env,
		"BELFRY_LISTEN="+c.String("gateway"), "BELFRY_ADMIN_LISTEN="+c.String("admin"), "BELFRY_EMIT_SECRET="+b.emitSecret,
		"BELFRY_ALLOWED_ORIGINS=http://127.0.0.1:"+port+",http://localhost:"+port,
		"BELFRY_JWT_SECRET_FILE="+filepath.Join(dir, "jwt.secret"), "BELFRY_JWT_ISSUER=tower", "BELFRY_JWT_AUDIENCE=belfry",
		"BELFRY_USER_CLAIM=user_id", "BELFRY_POLICY_FILE="+policy,
		"BELFRY_AUTHORIZE_URL=http://"+c.String("listen")+"/internal/authorize",
		"BELFRY_AUTHORIZE_SECRET_FILE="+filepath.Join(dir, "authorize.secret"),
	)
	return b, nil
}
