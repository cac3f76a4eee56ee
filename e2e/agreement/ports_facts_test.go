package agreement

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	gateway "belfry/services/gateway/app"
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
