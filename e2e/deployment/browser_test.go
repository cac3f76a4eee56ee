package deployment

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// TestBrowserOutlivesItsGateway: a real browser, through nginx with the
// configuration for production, watches a job's output. Its gateway is killed, the
// other one takes over, and the page has every line exactly once.
func TestBrowserOutlivesItsGateway(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	s := supervise(t, harness.OwnBroker(t), map[string][]string{"api": {"TOWER_DEMO_USERS=true"}})
	nginx := startProduction(t)
	browser := filepath.Join(root, "examples", "tower", "browser")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--prefer-offline", "--silent", "--no-audit", "--no-fund", "--no-update-notifier")
	install.Dir = browser
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	said, says, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = said.Close() }()
	page := exec.CommandContext(ctx, "node", filepath.Join(browser, "gateways.mjs"), "https://"+nginx.Addr+"/")
	page.Stdout, page.Stderr = says, says
	// With its own group, so that a browser does not outlive a failed script.
	page.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	page.Cancel = func() error { return syscall.Kill(-page.Process.Pid, syscall.SIGKILL) }
	if err := page.Start(); err != nil {
		t.Fatal(err)
	}
	_ = says.Close()
	var killed string
	for out := bufio.NewScanner(said); out.Scan(); {
		t.Log(out.Text())
		if out.Text() == "streaming" {
			killed = gatewayOfTheBrowser(t)
			s.kill(killed)
		}
	}
	if err := page.Wait(); err != nil || killed == "" {
		t.Fatalf("the page: %v; killed %q", err, killed)
	}
	access := nginx.Finish(t)["belfry.access.log"]
	for _, gateway := range harness.GatewayAddrs {
		if !strings.Contains(access, `"`+gateway+`"`) {
			t.Errorf("no websocket went to %s:\n%s", gateway, access)
		}
	}
}

// gatewayOfTheBrowser is the program that has the only connection.
func gatewayOfTheBrowser(t *testing.T) string {
	t.Helper()
	var with []string
	for i := range harness.GatewayAddrs {
		_, metrics, err := harness.Get(t.Context(), fmt.Sprintf("http://127.0.0.1:905%d/metrics", i+1))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(metrics, "\nbelfry_gateway_connections 1\n") {
			with = append(with, fmt.Sprintf("belfry-gateway:belfry-gateway-%d", i+1))
		}
	}
	if len(with) != 1 {
		t.Fatalf("the browser is connected to %v", with)
	}
	return with[0]
}
