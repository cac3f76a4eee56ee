package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The tokens of every installation's tokens file.
const (
	TokenAdmin = "token-of-7"     // user 7, may see every group that a rule is for
	TokenUser  = "token-of-8"     // user 8, may see job_events-*
	TokenTower = "token-of-tower" // user 7, may see the jobs of Tower's sample
	TokenNamed = "token-of-alice" // user "alice", may see everything
	TokenPhone = "token-of-phone" // user 9, login session "phone", may see everything
	TokenDesk  = "token-of-desk"  // user 9, login session "desk", likewise
)

const tokens = `{
  "token-of-7": {"user": 7, "groups": ["*"]},
  "token-of-8": {"user": 8, "groups": ["job_events-*"]},
  "token-of-tower": {"user": 7, "groups": ["job_events-42", "ad_hoc_command_events-43", "project_update_events-44",
    "inventory_update_events-45", "system_job_events-46", "workflow_events-47"]},
  "token-of-alice": {"user": "alice", "groups": ["*"]},
  "token-of-phone": {"user": 9, "groups": ["*"], "session": "phone"},
  "token-of-desk": {"user": 9, "groups": ["*"], "session": "desk"}
}`

// WriteAccess writes the tokens file and a policy: the shipped one for Tower's
// families, and, for the tests' own groups, the token's claim.
func WriteAccess(t testing.TB, dir string) (tokensFile, policyFile string) {
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
	tokensFile, policyFile = filepath.Join(dir, "tokens.json"), filepath.Join(dir, "policy.json")
	for path, content := range map[string][]byte{tokensFile: []byte(tokens), policyFile: policy} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatalf("write %s: %v", path, err)
		}
	}
	return tokensFile, policyFile
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
