package agreement

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// service is the part of docker-compose.yml below a service's name.
func service(f files, name string) string {
	_, rest, _ := strings.Cut(f[composeFile], "\n  "+name+":")
	end := regexp.MustCompile(`\n  ?\w`).FindStringIndex(rest)
	if end == nil {
		return rest
	}
	return rest[:end[0]]
}

// users: whom programs log in as, and believe, is whom the broker knows.
func users(f files) error {
	var broker struct {
		Users []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(f[brokerFile]), &broker); err != nil {
		return err
	}
	var known []string
	for _, u := range broker.Users {
		known = append(known, u.Name)
	}
	for _, file := range []string{composeFile, gatewayEnv, workerEnv, apiEnv} {
		named := regexp.MustCompile(`amqp://([\w-]+):|BELFRY_(?:GATEWAY|WORKER)_USERS(?:=|: )(\S+)`).FindAllStringSubmatch(f[file], -1)
		if len(named) == 0 {
			return fmt.Errorf("%s names no broker user", file)
		}
		for _, m := range named {
			if name := m[1] + m[2]; !slices.Contains(known, name) {
				return fmt.Errorf("%s names the broker user %s, the broker has %v", file, name, known)
			}
		}
	}
	return nil
}

// images: the Dockerfile takes what make build makes, starts what it took, and
// has what the health checks run.
func images(f files) error {
	built, err := find(f[makeFile], `go build .* -o (bin/\w+)`)
	if err != nil {
		return err
	}
	stages := map[string]string{}
	for _, stage := range regexp.MustCompile(`(?m)^FROM `).Split(f[dockerFile], -1)[1:] {
		first, _, _ := strings.Cut(stage, "\n")
		words := strings.Fields(first)
		stages[words[2]] = stages[words[0]] + stage // a stage has what the one below it has
	}
	for name, program := range map[string]string{"gateway": "gateway", "worker": "worker", "belfry": "belfry", "tower": "tower"} {
		copied, err := one(stages[name], `COPY --from=build /src/(bin/\w+ \S+)`)
		if err != nil {
			return fmt.Errorf("the image %s: %w", name, err)
		}
		from, to, _ := strings.Cut(copied, " ")
		if from != "bin/"+program || !slices.Contains(built, from) {
			return fmt.Errorf("the image %s takes %s, make build makes %v", name, from, built)
		}
		if !strings.Contains(stages[name], `ENTRYPOINT ["`+to+`"]`) {
			return fmt.Errorf("the image %s does not start %s, which it took", name, to)
		}
	}
	for _, name := range []string{"gateway", "worker"} {
		command, err := one(service(f, name), `test: \["CMD", "([^"]+)"`)
		if err != nil {
			return err
		}
		if !strings.Contains(stages[name], "/bin/busybox "+command+"\n") {
			return fmt.Errorf("the image of the %s has no %s for its health check", name, command)
		}
	}
	command, err := one(service(f, "api"), `test: \["CMD", "([^"]+)"`)
	if err != nil {
		return err
	}
	if !regexp.MustCompile(`apt-get install -y --no-install-recommends ` + command + ` `).MatchString(stages["tower"]) {
		return fmt.Errorf("the image of the example has no %s for its health check", command)
	}
	return nil
}
