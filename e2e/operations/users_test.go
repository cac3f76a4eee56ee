package operations

import (
	"os/exec"
	"strings"
	"testing"

	"belfry/e2e/harness"
)

// readiness is what a process says of itself.
func readiness(t *testing.T, p *harness.Process) string {
	t.Helper()
	_, text, err := harness.Get(t.Context(), "http://"+p.Admin+"/health/ready")
	if err != nil {
		return err.Error()
	}
	return text
}

// says waits until a process's readiness has all the words.
func says(t *testing.T, p *harness.Process, words ...string) {
	t.Helper()
	until(t, p.Name+" says "+strings.Join(words, ", "), func() bool {
		text := readiness(t, p)
		for _, word := range words {
			if !strings.Contains(text, word) {
				return false
			}
		}
		return true
	})
}

// TestUsersThatAreNotNamed: each role has a broker user, and a variable does not
// name the other one. Both sides and `belfry check` name user and variable.
func TestUsersThatAreNotNamed(t *testing.T) {
	needsBroker(t)
	t.Parallel()
	n := newNode(t)
	_, of := shipped(t)
	var permissions []permission
	for _, p := range of {
		p.Vhost = n.vhost
		permissions = append(permissions, p)
	}
	n.define(t, permissions...)
	in := harness.Start(t, harness.Shape{Shards: 1, Broker: n.Broker, Env: []string{shippedPasswords}})
	asWorker, asGateway := "BELFRY_AMQP_URL="+n.url(workerUser, n.vhost), "BELFRY_AMQP_URL="+n.url(gatewayUser, n.vhost)

	lonely := in.AddWorker(t, "lonely", asWorker)
	g := in.AddGateway(t, "gateway", asGateway, "BELFRY_WORKER_USERS="+workerUser)
	says(t, g, "BELFRY_GATEWAY_USERS", gatewayUser)
	says(t, lonely, "BELFRY_GATEWAY_USERS", gatewayUser)
	for _, p := range []*harness.Process{g, lonely} {
		if log := p.Log(); !strings.Contains(log, `"broker_user":"`+gatewayUser+`","variable":"BELFRY_GATEWAY_USERS"`) {
			t.Errorf("the log of %s names neither user nor variable:\n%s", p.Name, log)
		}
	}
	check := func(role string, env ...string) string {
		t.Helper()
		cmd := exec.Command(harness.Binary(t, "belfry"), "check", "--role", role)
		cmd.Env = append(env, "BELFRY_SHARDS=1", shippedPasswords)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("belfry check --role %s found nothing wrong:\n%s", role, out)
		}
		return string(out)
	}
	if out := check("gateway", asGateway, "BELFRY_WORKER_USERS="+workerUser); !strings.Contains(out, `does not answer gateways with the broker user "`+gatewayUser+`", because its BELFRY_GATEWAY_USERS names `+workerUser) {
		t.Errorf("check says:\n%s", out)
	}
	if out := check("gateway", asGateway); !strings.Contains(out, `uses the broker user "`+workerUser+`", but BELFRY_WORKER_USERS names `+gatewayUser) {
		t.Errorf("check says:\n%s", out)
	}

	deaf := in.AddGateway(t, "deaf", asGateway)
	says(t, deaf, "BELFRY_WORKER_USERS", workerUser)

	right := in.AddWorker(t, "right", asWorker, "BELFRY_GATEWAY_USERS="+gatewayUser)
	if err := right.WaitReady(patience); err != nil {
		t.Error(err)
	}
	if err := g.WaitReady(patience); err != nil {
		t.Error(err)
	}
}
