package main

// parallel bounds the end-to-end packages that run beside each other, and the
// tests of one of them that do. They wait more than they compute.
const parallel = "4"

// modules are what the unit tests are run in, with the race detector. The
// end-to-end packages test separate processes: there the detector would only
// watch the checker, and slow it down to where it disturbs what it measures.
// Gateway and worker are built with it for some of them. The bus over RabbitMQ and
// cmd/belfry are first because they take longest: most of their tests wait, and run
// one after the other.
var modules = []string{"./pkg/amqpbus/rabbit", "./cmd/belfry/...", "./pkg/...", "./services/gateway/...", "./services/worker/...", "./examples/tower/..."}

// longestFirst are the end-to-end packages: what takes longest begins first, so that
// the others run beside it and not after it. go test runs each package once.
var longestFirst = []string{"./operations", "./faults", "./python", "./deployment", "./..."}

var checks = part{name: "checks", command: []string{"scripts/check.sh"}}

// units runs the tests of the rooms. Without -shuffle and -count go test keeps
// the results of what has not changed.
func units(args ...string) part {
	p := part{name: "units", command: append([]string{"go", "test"}, args...)}
	p.command = append(p.command, modules...)
	return p
}

func script(name string, command ...string) part { return part{name: name, command: command} }

// gate is what a change must pass.
func gate() []lane {
	return []lane{
		// Two lanes: a browser beside compilers beside brokers makes two cores so busy that
		// what waits for a person's patience gives up.
		{
			endToEnd("e2e", append([]string{"-p", parallel, "-parallel", parallel, "-shuffle=on", "-timeout", "15m"}, longestFirst...)...),
			script("examples/tower/browser", "scripts/browser-clients.sh", "tower"),
		},
		{
			checks, script("clients/js", "scripts/browser-clients.sh", "client"), units("-race", "-p", "2", "-timeout", "15m"),
		},
	}
}

// withoutBroker is what needs Go alone: no race detector, which is linked with a
// C compiler, and no process beside the tests.
func withoutBroker() []lane {
	short := units("-short", "-timeout", "5m")
	short.command = append(short.command, "./e2e/...")
	return []lane{{checks, short}}
}
