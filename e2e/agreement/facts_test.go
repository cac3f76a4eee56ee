package agreement

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"belfry/pkg/settings"
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

// fallback is the default of a field of a configuration struct.
func fallback(spec any, field string) string {
	f, ok := reflect.TypeOf(spec).FieldByName(field)
	if !ok {
		panic("there is no field " + field) // a mistake in this test
	}
	return f.Tag.Get("default")
}

func port(address string) string { return address[strings.LastIndex(address, ":")+1:] }

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

// numbered is the ports that a variable has in the processes of one of
// supervisord's programs.
func numbered(f files, program, variable string) (ports []string, err error) {
	part := section(f[supervisorFile], "program:belfry-"+program)
	begin, err := one(part, variable+`=127\.0\.0\.1:(\d+)%\(process_num\)d`)
	if err != nil {
		return nil, err
	}
	count, first, err := counts(part)
	if err != nil {
		return nil, err
	}
	for i := range count {
		ports = append(ports, begin+strconv.Itoa(first+i))
	}
	return ports, nil
}

func scraped(f files) error {
	for _, program := range []string{"gateway", "worker"} {
		targets, err := one(f[scrapeFile], `(?s)job_name: belfry-`+program+`\n.*?targets: \[([^\]]*)\]`)
		if err != nil {
			return err
		}
		asked, err := find(targets, `"127\.0\.0\.1:(\d+)"`)
		if err != nil {
			return err
		}
		started, err := numbered(f, program, "BELFRY_ADMIN_LISTEN")
		if err != nil {
			return err
		}
		if !slices.Equal(asked, started) {
			return fmt.Errorf("prometheus asks %v for the %ss, supervisord starts them with %v", asked, program, started)
		}
	}
	if !strings.Contains(f[scrapeFile], "rule_files:\n  - belfry.rules.yml\n") {
		return errors.New("prometheus does not read the alerts beside its file")
	}
	return nil
}

func counts(part string) (count, first int, err error) {
	for key, n := range map[string]*int{"numprocs": &count, "numprocs_start": &first} {
		text, missing := setting(part, key)
		if missing != nil {
			return 0, 0, missing
		}
		if *n, err = strconv.Atoi(text); err != nil {
			return 0, 0, err
		}
	}
	return count, first, nil
}

func defaultPorts(f files) error {
	listen, admin := port(fallback(gateway.Config{}, "Listen")), port(fallback(gateway.Config{}, "AdminListen"))
	for _, look := range []struct{ file, pattern, want string }{
		{dockerFile, `(?s)AS gateway.*?EXPOSE (\d+)`, listen},
		{nginxCompose, `server gateway:(\d+)`, listen},
		{composeFile, `ports: \["127\.0\.0\.1:8051-8059:(\d+)"\]`, listen},
		{composeFile, `http://127\.0\.0\.1:(\d+)/health/ready`, admin},
		{composeFile, `BELFRY_ADMIN_LISTEN: 127\.0\.0\.1:(\d+)`, admin},
	} {
		found, err := find(f[look.file], look.pattern)
		if err != nil {
			return fmt.Errorf("%s: %w", look.file, err)
		}
		for _, got := range found {
			if got != look.want {
				return fmt.Errorf("%s has port %s where the program has %s", look.file, got, look.want)
			}
		}
	}
	known, err := upstream(f, "belfry_gateway")
	if err != nil {
		return err
	}
	if known[0] != listen {
		return fmt.Errorf("the first gateway of nginx has port %s, the program's default is %s", known[0], listen)
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

func graces(f files) error {
	own, err := one(f[serverFile], `(?m)^const stopWithin = (\d+) \* time\.Second$`)
	if err != nil {
		return err
	}
	seconds, err := strconv.Atoi(own)
	if err != nil {
		return err
	}
	api := time.Duration(seconds) * time.Second
	for _, look := range []struct {
		what, text, pattern string
		own                 time.Duration
	}{
		{"supervisord, gateway", section(f[supervisorFile], "program:belfry-gateway"), `(?m)^stopwaitsecs=(\d+)`, gateway.Grace},
		{"supervisord, worker", section(f[supervisorFile], "program:belfry-worker"), `(?m)^stopwaitsecs=(\d+)`, worker.Grace},
		{"systemd, gateway", f[gatewayUnit], `(?m)^TimeoutStopSec=(\d+)`, gateway.Grace},
		{"systemd, worker", f[workerUnit], `(?m)^TimeoutStopSec=(\d+)`, worker.Grace},
		{"compose, gateway", service(f, "gateway"), `stop_grace_period: (\d+)s`, gateway.Grace},
		{"compose, worker", service(f, "worker"), `stop_grace_period: (\d+)s`, worker.Grace},
		{"supervisord, api", section(f[supervisorFile], "program:belfry-api"), `(?m)^stopwaitsecs=(\d+)`, api},
		{"systemd, api", f[apiUnit], `(?m)^TimeoutStopSec=(\d+)`, api},
		{"compose, api", service(f, "api"), `stop_grace_period: (\d+)s`, api},
	} {
		found, err := find(look.text, look.pattern)
		if err != nil {
			return fmt.Errorf("%s: %w", look.what, err)
		}
		if seconds, err := strconv.Atoi(found[0]); err != nil || time.Duration(seconds)*time.Second <= look.own {
			return fmt.Errorf("%s: killed after %s s, the own grace period is %v", look.what, found[0], look.own)
		}
	}
	for _, program := range []string{"gateway", "worker", "api"} {
		if signal, err := setting(section(f[supervisorFile], "program:belfry-"+program), "stopsignal"); err != nil || signal != "TERM" {
			return fmt.Errorf("supervisord stops the %s with %q, not TERM", program, signal)
		}
	}
	return nil
}

// service is the part of docker-compose.yml below a service's name.
func service(f files, name string) string {
	_, rest, _ := strings.Cut(f[composeFile], "\n  "+name+":")
	end := regexp.MustCompile(`\n  ?\w`).FindStringIndex(rest)
	if end == nil {
		return rest
	}
	return rest[:end[0]]
}

func variables(f files) error {
	ofGateway, err := settings.Names(&gateway.Config{})
	if err != nil {
		return err
	}
	ofWorker, err := settings.Names(&worker.Config{})
	if err != nil {
		return err
	}
	ofTower, err := find(f[towerFile], `"((?:BELFRY|TOWER)_[A-Z_]+)"`)
	if err != nil {
		return err
	}
	for _, look := range []struct {
		what, text string
		known      []string
	}{
		{"supervisord, gateway", section(f[supervisorFile], "program:belfry-gateway"), ofGateway},
		{"supervisord, worker", section(f[supervisorFile], "program:belfry-worker"), ofWorker},
		{"compose, gateway", service(f, "gateway"), ofGateway},
		{"compose, worker", service(f, "worker"), ofWorker},
		{"gateway.env", uncommented(f[gatewayEnv]), ofGateway},
		{"worker.env", uncommented(f[workerEnv]), ofWorker},
		{"systemd, gateway", uncommented(f[gatewayUnit]), ofGateway},
		{"systemd, worker", uncommented(f[workerUnit]), ofWorker},
		{"api.env", uncommented(f[apiEnv]), ofTower},
		{"supervisord, api", section(f[supervisorFile], "program:belfry-api"), ofTower},
		{"compose, api", service(f, "api"), ofTower},
		{"compose", f[composeFile], settings.Known()},
		{"Dockerfile", f[dockerFile], settings.Known()},
		{".env", f[envFile], settings.Known()},
	} {
		for _, name := range regexp.MustCompile(`TOWER_[A-Z_]+`).FindAllString(look.text, -1) {
			if !strings.Contains(f[towerFile], `"`+name+`"`) {
				return fmt.Errorf("%s sets %s, which the example does not read", look.what, name)
			}
		}
		for _, name := range regexp.MustCompile(`BELFRY_[A-Z_]+`).FindAllString(look.text, -1) {
			if !slices.Contains(look.known, name) {
				return fmt.Errorf("%s sets %s, which the program does not read", look.what, name)
			}
		}
	}
	return nil
}

func development(f files) error {
	api, err := one(f[nginxHTTP], `upstream belfry_api \{\s*server 127\.0\.0\.1:(\d+)`)
	if err != nil {
		return err
	}
	for _, look := range []struct{ what, text, pattern, want string }{
		{"the broker's node", f[brokerScript], `RABBITMQ_NODE_PORT=(\d+)`, "5673"},
		{"the broker's configuration", f[brokerScript], `listeners\.tcp\.default = 127\.0\.0\.1:(\d+)`, "5673"},
		{".env, the broker", f[envFile], `BELFRY_AMQP_URL=amqp://guest:guest@127\.0\.0\.1:(\d+)/`, "5673"},
		{"the example's default", f[towerFile], `Name: "listen", Value: "127\.0\.0\.1:(\d+)"`, api},
		{".env, the application", f[envFile], `BELFRY_AUTHORIZE_URL=http://127\.0\.0\.1:(\d+)/`, api},
	} {
		got, err := one(look.text, look.pattern)
		if err != nil {
			return fmt.Errorf("%s: %w", look.what, err)
		}
		if got != look.want {
			return fmt.Errorf("%s has port %s, the others have %s", look.what, got, look.want)
		}
	}
	return nil
}

// one returns the only match.
func one(text, pattern string) (match string, err error) {
	found, err := find(text, pattern)
	if err != nil {
		return "", err
	}
	if len(found) > 1 {
		return "", fmt.Errorf("%d matches of %s", len(found), pattern)
	}
	return found[0], nil
}

func programs(f files) error {
	for line := range strings.Lines(f[procFile]) {
		if !regexp.MustCompile(`^[a-z]+: [a-z/]+( serve)?\n$`).MatchString(line) {
			return fmt.Errorf("the Procfile's line %q is more than a name and a command", line)
		}
	}
	built, err := find(f[makeFile], `go build .* -o (bin/\w+)`)
	if err != nil {
		return err
	}
	run, err := find(f[procFile], `(?m)^\w+: (bin/\w+)`)
	if err != nil {
		return err
	}
	for _, program := range run {
		if !slices.Contains(built, program) {
			return fmt.Errorf("the Procfile runs %s, make build makes %v", program, built)
		}
	}
	for unit, name := range map[string]string{gatewayUnit: "gateway", workerUnit: "worker"} {
		part := section(f[supervisorFile], "program:belfry-"+name)
		for _, look := range []struct{ ofUnit, ofSupervisor string }{
			{`(?m)^ExecStart=(\S+)`, `exec (\S+)'`},
			{`(?m)^EnvironmentFile=(\S+)`, `set -a; \. (\S+);`},
			{`(?m)^User=(\S+)`, `(?m)^user=(\S+)`},
		} {
			a, err := find(f[unit], look.ofUnit)
			if err != nil {
				return err
			}
			b, err := find(part, look.ofSupervisor)
			if err != nil {
				return err
			}
			if a[0] != b[0] {
				return fmt.Errorf("%s has %s, supervisord %s", unit, a[0], b[0])
			}
		}
	}
	return nil
}

func descriptors(f files) error {
	most, err := strconv.Atoi(fallback(gateway.Config{}, "MaxConnections"))
	if err != nil {
		return err
	}
	for what, look := range map[string][2]string{
		"systemd":     {f[gatewayUnit], `(?m)^LimitNOFILE=(\d+)`},
		"supervisord": {f[supervisorFile], `(?m)^minfds=(\d+)`},
	} {
		found, err := find(look[0], look[1])
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(found[0]); err != nil || n < most+1000 {
			return fmt.Errorf("%s allows %s open files, a gateway takes %d connections", what, found[0], most)
		}
	}
	return nil
}

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
	for _, pattern := range []string{`amqp://([\w-]+):`, `BELFRY_(?:GATEWAY|WORKER)_USERS: (\S+)`} {
		named, err := find(f[composeFile], pattern)
		if err != nil {
			return err
		}
		for _, name := range named {
			if !slices.Contains(known, name) {
				return fmt.Errorf("docker-compose.yml names the broker user %s, the broker has %v", name, known)
			}
		}
	}
	return nil
}

// uncommented is a file's text without its comments.
func uncommented(text string) string {
	return regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(text, "")
}

// paths: where a program answers is where it is asked.
func paths(f files) error {
	for _, look := range []struct{ what, text, pattern, in, wanted string }{
		{"nginx's websocket", f[nginxLocations], `location ~ \^(/websocket)`, f[edgeFile], `r.URL.Path != "%s"`},
		{"compose's health check of a gateway", service(f, "gateway"), `http://127\.0\.0\.1:9051(/[a-z/]+)`, f[adminFile], `GET %s"`},
		{"compose's health check of a worker", service(f, "worker"), `http://127\.0\.0\.1:9051(/[a-z/]+)`, f[adminFile], `GET %s"`},
		{"compose's health check of the application", service(f, "api"), `http://127\.0\.0\.1:8050(/[a-z/]+)`, f[apiFile], `GET %s"`},
		{".env's question to the application", f[envFile], `BELFRY_AUTHORIZE_URL=http://127\.0\.0\.1:8050(/[a-z/]+)`, f[apiFile], `POST %s"`},
		{"worker.env's question to the application", f[workerEnv], `BELFRY_AUTHORIZE_URL=http://127\.0\.0\.1:8050(/[a-z/]+)`, f[apiFile], `POST %s"`},
		{"compose's question to the application", f[composeFile], `BELFRY_AUTHORIZE_URL: http://api:8050(/[a-z/]+)`, f[apiFile], `POST %s"`},
	} {
		asked, err := one(look.text, look.pattern)
		if err != nil {
			return fmt.Errorf("%s: %w", look.what, err)
		}
		if answers := fmt.Sprintf(look.wanted, asked); !strings.Contains(look.in, answers) {
			return fmt.Errorf("%s is %s, where nothing answers (%s)", look.what, asked, answers)
		}
	}
	return nil
}

// containers: what compose says of one service is what another one does.
func containers(f files) error {
	for _, look := range []struct{ what, a, patternA, b, patternB string }{
		{"the application's port", service(f, "api"), `TOWER_LISTEN: 0\.0\.0\.0:(\d+)`, f[nginxCompose], `server api:(\d+)`},
		{"the certificate", f[nginxCompose], `ssl_certificate (/\S+)/certificate\.pem;`, f[composeFile], `10-certificate\.sh:ro # into (/\S+)`},
		{"the networks of the proxy", f[composeFile], `BELFRY_TRUSTED_PROXIES: (\S+)`, f[composeFile], `subnet: ([\d./]+)`},
	} {
		a, err := one(look.a, look.patternA)
		if err != nil {
			return fmt.Errorf("%s: %w", look.what, err)
		}
		b, err := one(look.b, look.patternB)
		if err != nil {
			return fmt.Errorf("%s: %w", look.what, err)
		}
		if a != b {
			return fmt.Errorf("%s: %s here, %s there", look.what, a, b)
		}
	}
	built, err := find(f[makeFile], `go build .* -o bin/(\w+)`)
	if err != nil {
		return err
	}
	copied, err := find(f[dockerFile], `COPY --from=build \S*/bin/(\w+)`)
	if err != nil {
		return err
	}
	for _, program := range copied {
		if !slices.Contains(built, program) {
			return fmt.Errorf("the Dockerfile copies %s, make build makes %v", program, built)
		}
	}
	return nil
}
