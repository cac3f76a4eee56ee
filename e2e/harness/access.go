package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The tokens of every installation's tokens file. Where tokens are not checked
// by a file they are the names of its holders: Installation.Token and Request
// put what is good there in their place.
const (
	TokenAdmin = "token-of-7"     // user 7, may see every group that a rule is for
	TokenUser  = "token-of-8"     // user 8, may see job_events-*
	TokenTower = "token-of-tower" // user 7, may see the jobs of Tower's sample
	TokenNamed = "token-of-alice" // user "alice", may see everything
	TokenPhone = "token-of-phone" // user 9, login session "phone", may see everything
	TokenDesk  = "token-of-desk"  // user 9, login session "desk", likewise
)

// holder is whose a token is, as the tokens file says it.
type holder struct {
	User    any      `json:"user"`
	Groups  []string `json:"groups"`
	Session string   `json:"session,omitempty"`
}

var holders = map[string]holder{
	TokenAdmin: {7, []string{"*"}, ""},
	TokenUser:  {8, []string{"job_events-*"}, ""},
	TokenTower: {7, []string{
		"job_events-42", "ad_hoc_command_events-43", "project_update_events-44", "inventory_update_events-45",
		"system_job_events-46", "workflow_events-47",
	}, ""},
	TokenNamed: {"alice", []string{"*"}, ""},
	TokenPhone: {9, []string{"*"}, "phone"},
	TokenDesk:  {9, []string{"*"}, "desk"},
}

// WriteAccess writes the tokens file and a policy: the shipped one for Tower's
// families, and, for the tests' own groups, the token's claim.
func WriteAccess(t T, dir string) (tokensFile, policyFile string) {
	t.Helper()
	return writeTokens(t, dir), writePolicy(t, dir)
}

func writeTokens(t T, dir string) string {
	t.Helper()
	tokens, err := json.Marshal(holders)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, dir, "tokens.json", tokens)
}

func writePolicy(t T, dir string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile(filepath.Join(root, "configs", "policy.tower.json"))
	if err != nil {
		t.Fatalf("read the shipped policy: %v", err)
	}
	policy, err := withOwnRule(shipped)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, dir, "policy.json", policy)
}

func writeFile(t T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
	return path
}

func withOwnRule(shipped []byte) ([]byte, error) {
	var policy struct {
		Rules []any `json:"rules"`
	}
	if err := json.Unmarshal(shipped, &policy); err != nil {
		return nil, fmt.Errorf("decode the shipped policy: %w", err)
	}
	policy.Rules = append(policy.Rules, map[string]any{"groups": []string{"*"}, "allow": []string{"claim"}})
	return json.Marshal(policy)
}
