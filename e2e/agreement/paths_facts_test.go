package agreement

import (
	"fmt"
	"regexp"
	"slices"
)

// websocketPath: nginx gives a gateway what the gateway takes, and nothing else.
func websocketPath(f files) error {
	taken, err := find(f[edgeFile], `r\.URL\.Path != "([^"]+)"`)
	if err != nil {
		return err
	}
	patterns, err := find(f[nginxLocations], `location ~ (\S+) \{`)
	if err != nil {
		return err
	}
	given, err := regexp.Compile(patterns[0])
	if err != nil {
		return err
	}
	if !slices.Contains(taken, "/websocket") || !slices.Contains(taken, "/websocket/") {
		return fmt.Errorf("the gateway takes %v, the protocol promises /websocket with and without the slash", taken)
	}
	for _, p := range taken {
		if !given.MatchString(p) {
			return fmt.Errorf("the gateway takes %s, nginx does not give it that", p)
		}
	}
	for _, p := range []string{"/", "/websocket//", "/websocket/x", "/websockets", "/api/websocket"} {
		if given.MatchString(p) {
			return fmt.Errorf("nginx gives the gateway %s, which it does not take", p)
		}
	}
	return nil
}

// healthPaths: what asks for health asks for something that is there.
func healthPaths(f files) error {
	ofAdmin, err := find(f[adminFile], `HandleFunc\("GET (/health/\w+)"`)
	if err != nil {
		return err
	}
	ofExample, err := one(f[towerAPI], `HandleFunc\("GET (/health)"`)
	if err != nil {
		return err
	}
	for _, look := range []struct {
		service string
		there   []string
	}{{"gateway", ofAdmin}, {"worker", ofAdmin}, {"api", []string{ofExample}}, {"nginx", []string{ofExample}}} {
		asked, err := one(service(f, look.service), `test: \["CMD".*"http://127\.0\.0\.1:\d+(/[^"]*)"\]`)
		if err != nil {
			return fmt.Errorf("compose, %s: %w", look.service, err)
		}
		if !slices.Contains(look.there, asked) {
			return fmt.Errorf("the health check of %s asks %s, there is %v", look.service, asked, look.there)
		}
	}
	return nil
}
