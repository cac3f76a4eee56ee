package agreement

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

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
