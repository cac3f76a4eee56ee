package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"belfry/pkg/amqpbus/brokertest"
)

// system is a private broker, one gateway and one worker, each a process of its
// own, as they run in production.
type system struct {
	dir     string
	node    *brokertest.Node
	gateway *process
	worker  *process
	address string // the gateway's public address
	admin   string
}

// token opens every connection of a benchmark.
const token = "bench"

// benchPolicy lets the token see every group that a benchmark uses.
const benchPolicy = `{"rules": [{"groups": ["*"], "allow": ["claim"]}]}`

// unlimited lifts the limits that many clients from one address would meet.
var unlimited = []string{"BELFRY_MAX_PER_USER=50000", "BELFRY_MAX_PER_ADDRESS=50000", "BELFRY_HANDSHAKE_RATE=50000"}

// startSystem starts the programs that bin holds.
func startSystem(ctx context.Context, dir, bin string) (*system, error) {
	node, err := brokertest.StartNode(ctx, filepath.Join(dir, "broker"))
	if err != nil {
		return nil, fmt.Errorf("start a private broker: %w", err)
	}
	s := &system{dir: dir, node: node}
	if err := s.startServices(ctx, bin); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *system) startServices(ctx context.Context, bin string) error {
	tokens := filepath.Join(s.dir, "tokens.json")
	policy := filepath.Join(s.dir, "policy.json")
	err := errors.Join(
		os.WriteFile(tokens, []byte(`{"`+token+`": {"user": 1, "groups": ["*"]}}`), 0o600),
		os.WriteFile(policy, []byte(benchPolicy), 0o600))
	if err != nil {
		return fmt.Errorf("write the benchmark's configuration: %w", err)
	}
	port, err := brokertest.FreePort()
	if err != nil {
		return err
	}
	adminPort, err := brokertest.FreePort()
	if err != nil {
		return err
	}
	s.address = "127.0.0.1:" + strconv.Itoa(port)
	s.admin = "127.0.0.1:" + strconv.Itoa(adminPort)
	shared := []string{"BELFRY_AMQP_URL=" + s.node.URL("guest"), "BELFRY_LOG_LEVEL=warn"}
	s.worker, err = startProcess(s.dir, "worker", filepath.Join(bin, "worker"), nil,
		append(shared, "BELFRY_NAME=bench-worker", "BELFRY_TOKENS_FILE="+tokens, "BELFRY_POLICY_FILE="+policy))
	if err != nil {
		return err
	}
	s.gateway, err = startProcess(s.dir, "gateway", filepath.Join(bin, "gateway"), nil,
		append(append(shared, "BELFRY_NAME=bench-gateway", "BELFRY_LISTEN="+s.address, "BELFRY_ADMIN_LISTEN="+s.admin),
			unlimited...))
	if err != nil {
		return err
	}
	return waitFor(ctx, "the gateway to be ready (logs in "+s.dir+")", s.ready)
}

func (s *system) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/health/ready", nil)
	if err != nil {
		return fmt.Errorf("ask whether the gateway is ready: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask whether the gateway is ready: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway says %s", answer.Status)
	}
	return nil
}

func (s *system) stop() {
	for _, p := range []*process{s.gateway, s.worker} {
		if p != nil {
			p.stop()
		}
	}
	s.node.Stop()
}
