package agreement

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	gateway "belfry/services/gateway/app"
)

// upstream is the ports of an upstream block of nginx.
func upstream(f files, name string) ([]string, error) {
	block, err := find(f[nginxHTTP], `(?s)upstream `+name+` \{(.*?)\}`)
	if err != nil {
		return nil, err
	}
	return find(block[0], `server 127\.0\.0\.1:(\d+)`)
}

func gatewayPorts(f files) error {
	known, err := upstream(f, "belfry_gateway")
	if err != nil {
		return err
	}
	started, err := numbered(f, "gateway", "BELFRY_LISTEN")
	if err != nil {
		return err
	}
	if !slices.Equal(known, started) {
		return fmt.Errorf("nginx knows %v, supervisord starts %v", known, started)
	}
	return nil
}

func nginxPorts(f files) error {
	for file, want := range map[string][]string{nginxDev: {"8013", "8043"}, nginxProd: {"80", "443"}, nginxCompose: {"8013", "8043"}} {
		found, err := find(f[file], `(?m)^\s*listen (?:127\.0\.0\.1:)?(\d+)(?: ssl)?;`)
		if err != nil {
			return err
		}
		if !slices.Equal(found, want) {
			return fmt.Errorf("%s listens on %v, not %v", file, found, want)
		}
	}
	return nil
}

func patience(f files) error {
	interval, err := time.ParseDuration(fallback(gateway.Config{}, "PingInterval"))
	if err != nil {
		return err
	}
	for _, directive := range []string{"proxy_read_timeout", "proxy_send_timeout"} {
		found, err := find(f[nginxLocations], `(?s)location ~ \^/websocket.*?`+directive+` (\w+);`)
		if err != nil {
			return err
		}
		if d, err := time.ParseDuration(found[0]); err != nil || d <= 2*interval {
			return fmt.Errorf("%s is %s, a gateway pings every %v and allows two", directive, found[0], interval)
		}
	}
	return nil
}

func redaction(f files) error {
	format, err := find(f[nginxLog], `(?s)log_format belfry (.*?);`)
	if err != nil {
		return err
	}
	for _, used := range regexp.MustCompile(`\$\w+`).FindAllString(format[0], -1) {
		if regexp.MustCompile(`^\$(request|request_uri|uri|document_uri|request_body|args|query_string|http_\w+|cookie_\w+|arg_\w+)$`).MatchString(used) {
			return fmt.Errorf("the log format has %s, which may show a token", used)
		}
	}
	if !strings.Contains(f[nginxLog], "map $uri $belfry_path {\n    \"~^(?<belfry_before>[^?&;=]*)\" $belfry_before;\n}") {
		return errors.New("the logged path is not cut before what may be a query")
	}
	for _, file := range []string{nginxDev, nginxProd, nginxCompose} {
		logs, err := find(f[file], `(?m)^\s*access_log \S+ (\w+);`)
		if err != nil {
			return err
		}
		for _, used := range logs {
			if used != "belfry" {
				return fmt.Errorf("%s logs in the format %s, which shows tokens", file, used)
			}
		}
	}
	websocket, err := find(f[nginxLocations], `(?s)(location ~ \^/websocket.*?\n\})`)
	if err != nil {
		return err
	}
	if !strings.Contains(websocket[0], "error_log /dev/null crit;") {
		return errors.New("nginx's error log would show the request line of a websocket")
	}
	return nil
}
