package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"belfry/pkg/settings"
)

// TestLastLineHasTheLogsFormat: also of errors with several lines.
func TestLastLineHasTheLogsFormat(t *testing.T) {
	err := errors.Join(errors.New(`one "quoted"`), errors.New("two"))
	line := lastWords("gateway", err)
	var read struct{ Level, Time, Msg, Error string }
	if strings.Count(line, "\n") != 1 || json.Unmarshal([]byte(line), &read) != nil || read.Error != err.Error() || read.Level != "error" || read.Time == "" {
		t.Errorf("got %q", line)
	}
	t.Setenv("BELFRY_LOG_FORMAT", "console")
	if line := lastWords("gateway", err); !strings.HasPrefix(line, "gateway: one") {
		t.Errorf("for people: %q", line)
	}
}

func TestHelpListsTheVariables(t *testing.T) {
	var out, errOut bytes.Buffer
	status, end := arguments("gateway", &settings.Broker{}, []string{"--help"}, &out, &errOut)
	if status != 0 || !end || errOut.Len() > 0 || !strings.Contains(out.String(), "BELFRY_AMQP_URL (text, secret)\n") || !strings.Contains(out.String(), "Example") {
		t.Errorf("status %d: %s%s", status, &out, &errOut)
	}
}
