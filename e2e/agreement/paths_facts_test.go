package agreement

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
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

// authorizePath: the worker asks where the example answers, and nginx keeps
// everybody else away from there.
func authorizePath(f files) error {
	answered, err := one(f[towerAPI], `HandleFunc\("POST (/internal/[^"]*)"`)
	if err != nil {
		return err
	}
	for _, file := range []string{envFile, composeFile, workerEnv} {
		asked, err := one(f[file], `BELFRY_AUTHORIZE_URL(?:=|: )http://[^/\s]+(/\S*)`)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if asked != answered {
			return fmt.Errorf("%s asks %s, the example answers %s", file, asked, answered)
		}
	}
	if !strings.Contains(f[nginxLocations], "location "+path.Dir(answered)+"/ {\n    return 404;\n}") {
		return errors.New("nginx lets everybody ask what the worker asks")
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

// certificates: the script writes where the configurations read.
func certificates(f files) error {
	dir, err := one(f[certificateScript], `dir=\$\{1:-(\S+)\}`)
	if err != nil {
		return err
	}
	written, err := one(f[certificateScript], `-keyout "\$dir/(\S+" -out "\$dir/\S+)"`)
	if err != nil {
		return err
	}
	key, certificate, _ := strings.Cut(written, `" -out "$dir/`)
	for file, folder := range map[string]string{
		nginxDev:     "../../" + dir, // seen from deploy/nginx
		nginxCompose: "/" + dir,      // nginx's image runs the script at its top
	} {
		for directive, name := range map[string]string{"ssl_certificate": certificate, "ssl_certificate_key": key} {
			read, err := one(f[file], `(?m)^\s*`+directive+` (\S+);`)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if want := folder + "/" + name; read != want {
				return fmt.Errorf("%s reads %s, the script writes %s", file, read, want)
			}
		}
	}
	if !strings.Contains(service(f, "nginx"), "./deploy/nginx/certificate:/docker-entrypoint.d/10-certificate.sh:ro") {
		return errors.New("the image of nginx does not make a certificate when it starts")
	}
	if !strings.Contains(f[nginxScript], `-p "$PWD/`+dir+`"`) || !strings.Contains(f[nginxScript], "deploy/nginx/certificate\n") {
		return errors.New("the Procfile's nginx does not make a certificate when it starts")
	}
	return nil
}
