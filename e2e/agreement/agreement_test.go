package agreement

import (
	"strings"
	"testing"
)

// mutation is a change of one file that must break the fact.
type mutation struct{ file, from, to string }

type fact struct {
	name   string
	holds  func(f files) error
	broken []mutation
}

var facts = []fact{
	{"nginx writes no token down", redaction, []mutation{
		{nginxLog, "$request_method $belfry_path", "$request_uri"},
		{nginxLog, "$request_method $belfry_path", "$request_method $uri"},
		{nginxLog, "[^?&;=]*", ".*"},
		{nginxLog, "'$status ", "'$http_referer $status "},
		{nginxCompose, "access_log /dev/stdout belfry;", "access_log /dev/stdout combined;"},
		{nginxLocations, "error_log /dev/null crit;", "error_log error.log error;"},
		{nginxDev, "access_log access.log belfry;", "access_log access.log combined;"},
	}},
	{"every variable is one that the program reads", variables, []mutation{
		{supervisorFile, "BELFRY_LISTEN=", "BELFRY_LISTEN_ADDRESS="},
		{composeFile, "BELFRY_USER_CLAIM", "BELFRY_CLAIM"},
		{supervisorFile, "BELFRY_NAME=worker", "BELFRY_LISTEN=:1 BELFRY_NAME=worker"},
		{envFile, "BELFRY_USER_CLAIM", "BELFRY_JWT_USER_CLAIM"},
		{envFile, "TOWER_DATABASE", "TOWER_DB"},
		{composeFile, "TOWER_DEMO_USERS", "TOWER_USERS"},
		{composeFile, "TOWER_LISTEN", "BELFRY_LISTEN"},
		{supervisorFile, "/etc/belfry/api.env; exec", "/etc/belfry/api.env; BELFRY_LISTEN=:8050 exec"},
		{towerFile, `env("BELFRY_SHARDS")`, `env("TOWER_SHARDS")`},
		{gatewayUnit, "BELFRY_ADMIN_LISTEN", "BELFRY_ADMIN"},
		{gatewayEnv, "BELFRY_TRUSTED_PROXIES", "BELFRY_PROXIES"},
		{workerEnv, "BELFRY_GATEWAY_USERS", "BELFRY_TRUSTED_PROXIES"},
		{apiEnv, "TOWER_DATABASE", "TOWER_DB"},
	}},
	{"a shell and systemd read the samples of variables alike", samples, []mutation{
		{gatewayEnv, "change-me", "$SECRET"},
		{workerEnv, "BELFRY_JWT_ISSUER=tower", "BELFRY_JWT_ISSUER='our tower'"},
		{apiEnv, "TOWER_DATABASE=", "export TOWER_DATABASE="},
		{gatewayEnv, "BELFRY_TRUSTED_PROXIES=127.0.0.1", "BELFRY_LISTEN=127.0.0.1:8051"},
	}},
	{"the Procfile runs what is built", programs, []mutation{
		{procFile, "worker: bin/worker", "worker: bin/work"},
		{procFile, "api: bin/tower serve", "api: cd bin && ./tower serve --port $PORT"},
	}},
	{"the broker has the users that the containers log in as", users, []mutation{
		{composeFile, "amqp://belfry-worker:", "amqp://worker:"},
		{composeFile, "BELFRY_GATEWAY_USERS: belfry-gateway", "BELFRY_GATEWAY_USERS: gateway"},
		{workerEnv, "BELFRY_GATEWAY_USERS=belfry-gateway", "BELFRY_GATEWAY_USERS=gateway"},
		{apiEnv, "amqp://belfry-backend:", "amqp://tower:"},
	}},
	{"images are made of what is built, and start it", images, []mutation{
		{dockerFile, "/src/bin/worker /worker", "/src/bin/runworker /worker"},
		{dockerFile, "/src/bin/gateway /gateway", "/src/bin/worker /gateway"},
		{makeFile, "-o bin/tower ./examples/tower", "-o bin/example ./examples/tower"},
		{dockerFile, `ENTRYPOINT ["/usr/bin/belfry-tower"]`, `ENTRYPOINT ["/tower"]`},
		{dockerFile, "/bin/busybox /wget", "/bin/busybox /busybox"},
		{composeFile, `"/wget"`, `"/bin/wget"`},
		{dockerFile, "--no-install-recommends wget", "--no-install-recommends curl"},
	}},
	{"nginx gives gateways the path that they take", websocketPath, []mutation{
		{nginxLocations, "location ~ ^/websocket/?$", "location ~ ^/websocket/$"},
		{nginxLocations, "location ~ ^/websocket/?$", "location ~ ^/websocket"},
		{edgeFile, `r.URL.Path != "/websocket" &&`, `r.URL.Path != "/ws" &&`},
	}},
	{"health is asked for where it is answered", healthPaths, []mutation{
		{adminFile, "GET /health/ready", "GET /ready"},
		{composeFile, "9051/health/ready", "9051/ready"},
		{composeFile, "8050/health\"", "8050/healthz\""},
		{composeFile, "8013/health\"", "8013/health/ready\""},
		{towerAPI, `"GET /health"`, `"GET /healthz"`},
	}},
}

func TestAgreement(t *testing.T) {
	f := read(t)
	for _, fact := range facts {
		t.Run(fact.name, func(t *testing.T) {
			if err := fact.holds(f); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEachFactCanFail breaks each fact in every way that is written beside it.
func TestEachFactCanFail(t *testing.T) {
	shipped := read(t)
	for _, fact := range facts {
		t.Run(fact.name, func(t *testing.T) {
			if len(fact.broken) == 0 {
				t.Error("nothing shows that it can fail")
			}
			for _, m := range fact.broken {
				f := files{}
				for name, text := range shipped {
					f[name] = text
				}
				if !strings.Contains(f[m.file], m.from) {
					t.Errorf("%s does not contain %q any more", m.file, m.from)
					continue
				}
				f[m.file] = strings.Replace(f[m.file], m.from, m.to, 1)
				if err := fact.holds(f); err == nil {
					t.Errorf("%s with %q in place of %q is not noticed", m.file, m.to, m.from)
				}
			}
		})
	}
}
