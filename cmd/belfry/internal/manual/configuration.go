package manual

import (
	"fmt"
	"strings"

	"belfry/cmd/belfry/internal/environment"
	"belfry/pkg/settings"
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

const intro = `# Configuration

<!-- Written by ` + "`make docs`" + ` from the structs of the programs; a test compares. -->

Every program reads environment variables that begin with ` + "`BELFRY_`" + `, and a few that libraries heed, listed at the end.
Each has a default that works, where one can. A program that starts with a value it cannot use says which variable it is and what to set.

- One environment may serve all programs: each reads its own variables and passes over the others'.
- A ` + "`BELFRY_`" + ` variable that no program knows is refused, with the nearest name: it is a setting that somebody believes in.
  What orchestrators inject (` + "`BELFRY_..._SERVICE_HOST`, `BELFRY_..._PORT`" + `) only warns.
- A duration has its unit: ` + "`500ms`, `10s`, `2m`" + `. A list is separated by commas.
- A secret is never printed. Secrets of tokens are in files, named by variables that end in ` + "`_FILE`" + `.
- ` + "`belfry check`" + ` says whether an environment is good, and what the broker thinks of it.
- ` + "`belfry dev`" + ` reads what gateway and worker read, but nothing about a broker. Its own defaults: ` + "`BELFRY_LISTEN` 127.0.0.1:8051,\n  `BELFRY_ADMIN_LISTEN` 127.0.0.1:9051, `BELFRY_LOG_LEVEL` warn, `BELFRY_LOG_FORMAT` console, `BELFRY_DRAIN_NOTICE` 0s,\n  `BELFRY_MAX_CONNECTIONS` 900" + `, and a tokens file and a policy of its own.

`

// foreign are the variables that are not Belfry's.
const foreign = `
## Variables of others

| variable | heeded by | meaning |
|---|---|---|
| ` + "`SSL_CERT_FILE`, `SSL_CERT_DIR`" + ` | every program | the system's certificate authorities, in another place: a PEM file, a directory of them. They count for every TLS link that has no ` + "`..._CA_FILE`" + ` of its own: the broker's, the key set's, the introspection's, the application's |
| ` + "`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`" + ` | worker | the way to the key set and to the introspection, never to loopback. The application is asked directly |
| ` + "`OTEL_EXPORTER_OTLP_HEADERS`" + ` and others of its kind | gateway, worker | with ` + "`BELFRY_TRACE_URL`" + `: what the tracing library sends along |
`

// Configuration is the text of docs/configuration.md.
func Configuration() (string, error) {
	shared, err := settings.Names(&settings.Broker{})
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(intro)
	for i, section := range []struct {
		title string
		spec  any
	}{
		{"Every program", &settings.Broker{}},
		{"Gateway", &gateway.Config{}},
		{"Worker", &worker.Config{}},
		{"Command line", &struct {
			environment.Emitting
			environment.Listen
		}{}},
	} {
		text, err := settings.Describe(section.title, section.spec)
		if err != nil {
			return "", fmt.Errorf("write docs/configuration.md: %w", err)
		}
		if i > 0 {
			text = "\n" + without(text, shared)
		}
		out.WriteString(text)
	}
	out.WriteString("\n`belfry token` reads the worker's `BELFRY_JWT_SECRET_FILE`, `BELFRY_JWT_ISSUER`, `BELFRY_JWT_AUDIENCE`, `BELFRY_USER_CLAIM`,\n`BELFRY_GROUPS_CLAIM` and `BELFRY_SESSION_CLAIM`.\n")
	out.WriteString(foreign)
	return out.String(), nil
}

// without takes the rows of variables out of a table.
func without(text string, variables []string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		keep := true
		for _, name := range variables {
			keep = keep && !strings.HasPrefix(line, "| `"+name+"` ")
		}
		if keep {
			out.WriteString(line)
		}
	}
	return out.String()
}
