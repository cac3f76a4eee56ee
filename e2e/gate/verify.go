package main

import (
	"os"
	"os/exec"
	"strings"
	"time"

	"belfry/e2e/containers"
	"belfry/e2e/harness"
	"belfry/pkg/amqpbus/brokertest"
)

// How much of what could go on for ever is done. The variables are those of
// `make simulate`, `make model` and `make fuzz`.
const (
	schedules    = "20000"
	logSchedules = "3000" // of each form
	modelSeconds = "30"   // of each search
	fuzzTime     = "20s"
)

// everything is all that can be tested here, one part after another: periods are
// held to what is promised, so nothing else may take the processors.
func everything() []lane {
	full := harness.FullVariable + "=1"
	return []lane{{
		checks,
		units("-race", "-p", "2", "-count=1", "-shuffle=on", "-timeout", "60m").with(full),
		endToEnd("e2e", "-v", "-p", "1", "-parallel", "1", "-shuffle=on", "-timeout", "90m", "./...").with(full).bounded(3 * time.Hour),
		script("clients/js", "scripts/browser-clients.sh", "client").with(full),
		script("clients/js/consumers", "scripts/browser-clients.sh", "consumers"),
		script("examples/tower/browser", "scripts/browser-clients.sh", "tower").with(full),
		endToEnd("simulation/log", "-count=1", "-v", "-timeout", "2h", "-run", "TestSchedules", "./logsim").
			with("BELFRY_TEST_SIM_SCHEDULES=" + logSchedules).bounded(2 * time.Hour),
		endToEnd("simulation/log/errors", "-tags", "plants", "-count=1", "-v", "-timeout", "2h", "-run", "TestPlants", "./logsim").bounded(2 * time.Hour),
		endToEnd("model/log", "-count=1", "-v", "-timeout", "1h", "./logmodel").
			with("BELFRY_TEST_MODEL_SECONDS=" + variable("MODELSECONDS", modelSeconds)).bounded(time.Hour),
		script("fuzz", "scripts/fuzz.sh").with("FUZZTIME=" + variable("FUZZTIME", fuzzTime)).bounded(2 * time.Hour),
		endToEnd("drills", "-tags", "drills", "-count=1", "-v", "-parallel", "2", "-timeout", "3h", "-run", "TestDrill", "./faults").
			with(full).bounded(3 * time.Hour),
		onRabbitMQ4(script("rabbitmq4/bus", "go", "test", "-count=1", "-timeout", "30m", "./pkg/amqpbus/rabbit", "./pkg/emitter")),
		containerTests(),
		onRabbitMQ4(endToEnd("rabbitmq4/e2e", "-count=1", "-p", "1", "-parallel", parallel, "-timeout", "60m", "./blackbox", "./faults")),
	}}
}

// containerTests runs the images beside a broker in a container, where an engine
// can run.
func containerTests() part {
	p := endToEnd("containers", "-tags", "containers", "-p", "1", "-count=1", "-v", "-timeout", "60m", "-run", "Containers", "./containers", "./blackbox")
	p.skip = containers.WhyNot
	return p.bounded(90 * time.Minute)
}

// variable is one of the environment's, or what stands for it.
func variable(name, otherwise string) string {
	if text := os.Getenv(name); text != "" {
		return text
	}
	return otherwise
}

// onRabbitMQ4 runs a part's tests on a RabbitMQ 4 from a root folder, which is
// made when there is none. Only root can.
func onRabbitMQ4(p part) part {
	p.skip = func() string {
		if os.Getuid() != 0 {
			return "only root can start a RabbitMQ of another root folder"
		}
		return ""
	}
	p.prepare = func(root string) ([]string, error) {
		folder := os.Getenv(brokertest.RootVariable)
		if folder == "" {
			make := exec.Command("scripts/broker-root.sh")
			make.Dir, make.Stderr = root, os.Stderr
			out, err := make.Output()
			if err != nil {
				return nil, err
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			folder = lines[len(lines)-1]
		}
		// Not the shared node, which is this system's RabbitMQ.
		return []string{brokertest.RootVariable + "=" + folder, brokertest.SharedVariable + "="}, nil
	}
	return p
}
