package agreement

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"belfry/pkg/settings"
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

// program is one of those that supervisord, systemd and compose run.
type program struct {
	name    string // supervisord's without "belfry-", compose's service
	unit    string
	env     string // the shipped sample of its variables
	numbers bool   // there may be several: each has a number
}

var shippedPrograms = []program{
	{"gateway", gatewayUnit, gatewayEnv, true},
	{"worker", workerUnit, workerEnv, true},
	{"api", apiUnit, apiEnv, false},
}

func (p program) supervised(f files) string {
	return section(f[supervisorFile], "program:belfry-"+p.name)
}

// grace is how long a program may take to end by itself.
func (p program) grace(f files) (time.Duration, error) {
	switch p.name {
	case "gateway":
		return gateway.Grace, nil
	case "worker":
		return worker.Grace, nil
	}
	// The example's constant bounds requests and last events; its jobs get a
	// second more.
	seconds, err := one(f[towerServer], `const stopWithin = (\d+) \* time\.Second`)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(seconds)
	return time.Duration(n+1) * time.Second, err
}

func graces(f files) error {
	var together time.Duration // supervisord stops one group after the other
	for _, p := range shippedPrograms {
		own, err := p.grace(f)
		if err != nil {
			return err
		}
		for _, look := range []struct{ what, text, pattern string }{
			{"supervisord", p.supervised(f), `(?m)^stopwaitsecs=(\d+)`},
			{"systemd", f[p.unit], `(?m)^TimeoutStopSec=(\d+)`},
			{"compose", service(f, p.name), `stop_grace_period: (\d+)s`},
		} {
			seconds, err := one(look.text, look.pattern)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", look.what, p.name, err)
			}
			n, err := strconv.Atoi(seconds)
			if err != nil || time.Duration(n)*time.Second <= own {
				return fmt.Errorf("%s kills the %s after %s s, the own grace period is %v", look.what, p.name, seconds, own)
			}
			if look.what == "supervisord" {
				together += time.Duration(n) * time.Second
			}
		}
		if signal, err := setting(p.supervised(f), "stopsignal"); err != nil || signal != "TERM" {
			return fmt.Errorf("supervisord stops the %s with %q, not TERM", p.name, signal)
		}
	}
	seconds, err := one(f[supervisorUnit], `(?m)^TimeoutStopSec=(\d+)`)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(seconds); err != nil || time.Duration(n)*time.Second <= together {
		return fmt.Errorf("systemd kills supervisord after %s s, its programs may take %v", seconds, together)
	}
	return nil
}

func variables(f files) error {
	ofGateway, err := settings.Names(&gateway.Config{})
	if err != nil {
		return err
	}
	ofWorker, err := settings.Names(&worker.Config{})
	if err != nil {
		return err
	}
	ofExample, err := find(f[towerFile], `env\("([A-Z_]+)"\)`)
	if err != nil {
		return err
	}
	known := map[string][]string{"gateway": ofGateway, "worker": ofWorker, "api": ofExample}
	everybody := slices.Concat(ofGateway, ofWorker, ofExample)
	type look struct {
		what, text string
		known      []string
	}
	looks := []look{{"compose", f[composeFile], everybody}, {"Dockerfile", f[dockerFile], everybody}, {".env", f[envFile], everybody}}
	for _, p := range shippedPrograms {
		looks = append(looks,
			look{"supervisord, " + p.name, p.supervised(f), known[p.name]}, look{p.unit, uncommented(f[p.unit]), known[p.name]},
			look{p.env, uncommented(f[p.env]), known[p.name]}, look{"compose, " + p.name, service(f, p.name), known[p.name]})
	}
	for _, l := range looks {
		for _, name := range regexp.MustCompile(`\b(?:BELFRY|TOWER)_[A-Z_]+`).FindAllString(l.text, -1) {
			if !slices.Contains(l.known, name) {
				return fmt.Errorf("%s sets %s, which the program does not read", l.what, name)
			}
		}
	}
	return nil
}

// uncommented is a file without its comments.
func uncommented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// samples: a shell and systemd read the shipped files of variables in the same
// way, and they set nothing that differs from process to process.
func samples(f files) error {
	line := regexp.MustCompile(`^[A-Z_]+=[\w@:/.,-]+\n$`)
	for _, p := range shippedPrograms {
		for text := range strings.Lines(uncommented(f[p.env])) {
			if !line.MatchString(text) {
				return fmt.Errorf("%s: %q may not be read alike by a shell and systemd", p.env, text)
			}
			for _, own := range []string{"BELFRY_NAME=", "BELFRY_LISTEN=", "BELFRY_ADMIN_LISTEN="} {
				if strings.HasPrefix(text, own) {
					return fmt.Errorf("%s sets %s for all processes", p.env, own)
				}
			}
		}
	}
	return nil
}

func programs(f files) error {
	for line := range strings.Lines(f[procFile]) {
		if !regexp.MustCompile(`^[a-z]+: [a-z/]+( serve)?\n$`).MatchString(line) {
			return fmt.Errorf("the Procfile's line %q is more than a name and a command", line)
		}
	}
	built, err := find(f[makeFile], `go build .* -o (bin/\w+)`)
	if err != nil {
		return err
	}
	run, err := find(f[procFile], `(?m)^\w+: (bin/\w+)`)
	if err != nil {
		return err
	}
	for _, program := range run {
		if !slices.Contains(built, program) {
			return fmt.Errorf("the Procfile runs %s, make build makes %v", program, built)
		}
	}
	for _, p := range shippedPrograms {
		looks := []struct{ ofUnit, ofSupervisor string }{
			{`(?m)^ExecStart=(.*)$`, `exec (.*)'`},
			{`(?m)^EnvironmentFile=(\S+)`, `set -a; \. (\S+);`},
			{`(?m)^User=(\S+)`, `(?m)^user=(\S+)`},
		}
		if p.numbers {
			looks = append(looks, struct{ ofUnit, ofSupervisor string }{`(?m)^Environment=(.*)$`, `\.env; (.*) exec`})
		}
		for _, look := range looks {
			a, err := one(f[p.unit], look.ofUnit)
			if err != nil {
				return fmt.Errorf("%s: %w", p.unit, err)
			}
			b, err := one(p.supervised(f), look.ofSupervisor)
			if err != nil {
				return fmt.Errorf("supervisord, %s: %w", p.name, err)
			}
			if b = strings.ReplaceAll(b, "%(process_num)d", "%i"); a != b {
				return fmt.Errorf("%s has %s, supervisord %s", p.unit, a, b)
			}
		}
	}
	return nil
}

// persistence: no unit is given up after a few quick restarts.
func persistence(f files) error {
	for _, unit := range []string{gatewayUnit, workerUnit, apiUnit, supervisorUnit} {
		head, service, found := strings.Cut(f[unit], "\n[Service]\n")
		if !found || !strings.Contains(head, "\nStartLimitIntervalSec=0\n") || !strings.Contains(service, "\nRestart=always\n") {
			return fmt.Errorf("systemd may give %s up", unit)
		}
	}
	for _, p := range shippedPrograms {
		if retries, err := setting(p.supervised(f), "startretries"); err != nil || retries != "1000000" {
			return fmt.Errorf("supervisord gives the %s up after %s retries", p.name, retries)
		}
	}
	return nil
}

func descriptors(f files) error {
	most, err := strconv.Atoi(fallback(gateway.Config{}, "MaxConnections"))
	if err != nil {
		return err
	}
	for what, look := range map[string][2]string{
		"systemd":                  {f[gatewayUnit], `(?m)^LimitNOFILE=(\d+)`},
		"supervisord":              {f[supervisorFile], `(?m)^minfds=(\d+)`},
		"systemd, for supervisord": {f[supervisorUnit], `(?m)^LimitNOFILE=(\d+)`},
	} {
		found, err := find(look[0], look[1])
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(found[0]); err != nil || n < most+1000 {
			return fmt.Errorf("%s allows %s open files, a gateway takes %d connections", what, found[0], most)
		}
	}
	return nil
}
