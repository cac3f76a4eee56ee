package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// lastWords returns the line that says why a program ended. It does not use the log, which may
// not be open yet, but has the log's format: JSON, unless BELFRY_LOG_FORMAT is console.
func lastWords(name string, err error) string {
	if os.Getenv("BELFRY_LOG_FORMAT") == "console" {
		return fmt.Sprintf("%s: %v\n", name, err)
	}
	line, _ := json.Marshal(struct { // strings always encode
		Level string `json:"level"`
		Time  string `json:"time"`
		Msg   string `json:"msg"`
		Error string `json:"error"`
	}{"error", time.Now().Format(time.RFC3339Nano), name + " failed and ends", err.Error()})
	return string(line) + "\n"
}
