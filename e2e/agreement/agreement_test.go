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
	{"nginx knows the gateways that supervisord starts", gatewayPorts, []mutation{
		{nginxHTTP, "127.0.0.1:8052", "127.0.0.1:8053"},
		{supervisorFile, "BELFRY_LISTEN=127.0.0.1:805%", "BELFRY_LISTEN=127.0.0.1:806%"},
		{supervisorFile, "numprocs=2\nnumprocs_start=1\npriority=300", "numprocs=3\nnumprocs_start=1\npriority=300"},
	}},
	{"Prometheus scrapes what supervisord starts", scraped, []mutation{
		{scrapeFile, `"127.0.0.1:9051", "127.0.0.1:9052"`, `"127.0.0.1:9051"`},
		{scrapeFile, `"127.0.0.1:9061", "127.0.0.1:9062"`, `"127.0.0.1:9052"`},
		{scrapeFile, "job_name: belfry-worker", "job_name: worker"},
		{scrapeFile, "belfry.rules.yml", "rules.yml"},
		{supervisorFile, "BELFRY_ADMIN_LISTEN=127.0.0.1:906%", "BELFRY_ADMIN_LISTEN=127.0.0.1:907%"},
		{supervisorFile, "numprocs=2\nnumprocs_start=1\npriority=100", "numprocs=2\nnumprocs_start=0\npriority=100"},
	}},
	{"a gateway listens where containers and nginx look for one", defaultPorts, []mutation{
		{dockerFile, "EXPOSE 8051", "EXPOSE 8052"},
		{composeFile, "8051-8059:8051", "8051-8059:8052"},
		{nginxCompose, "server gateway:8051", "server gateway:8052"},
		{composeFile, "http://127.0.0.1:9051/health/ready", "http://127.0.0.1:9052/health/ready"},
	}},
	{"nginx listens on Tower's ports", nginxPorts, []mutation{
		{nginxDev, "127.0.0.1:8043", "127.0.0.1:8443"},
		{nginxProd, "listen 443 ssl", "listen 8443 ssl"},
	}},
	{"nginx is more patient than two pings", patience, []mutation{
		{nginxLocations, "proxy_read_timeout 75s", "proxy_read_timeout 50s"},
		{nginxLocations, "proxy_send_timeout 75s", "proxy_send_timeout 10s"},
	}},
	{"nginx writes no token down", redaction, []mutation{
		{nginxLog, "$request_method $belfry_path", "$request_uri"},
		{nginxLog, "$request_method $belfry_path", "$request_method $uri"},
		{nginxLog, "[^?&;=]*", ".*"},
		{nginxLog, "'$status ", "'$http_referer $status "},
		{nginxCompose, "access_log /dev/stdout belfry;", "access_log /dev/stdout combined;"},
		{nginxLocations, "error_log /dev/null crit;", "error_log error.log error;"},
		{nginxDev, "access_log access.log belfry;", "access_log access.log combined;"},
	}},
	{"nobody is killed within the own grace period", graces, []mutation{
		{supervisorFile, "stopwaitsecs=30", "stopwaitsecs=25"},
		{supervisorFile, "stopwaitsecs=15", "stopwaitsecs=9"},
		{gatewayUnit, "TimeoutStopSec=30", "TimeoutStopSec=20"},
		{workerUnit, "TimeoutStopSec=15", "TimeoutStopSec=5"},
		{composeFile, "stop_grace_period: 30s # the gateway's", "stop_grace_period: 10s # the gateway's"},
		{composeFile, "stop_grace_period: 15s # the worker's", "stop_grace_period: 10s # the worker's"},
		{supervisorFile, "stopsignal=TERM", "stopsignal=KILL"},
		{supervisorFile, "stopwaitsecs=10", "stopwaitsecs=8"},
		{apiUnit, "TimeoutStopSec=12", "TimeoutStopSec=7"},
		{composeFile, "start_period: 10s\n    stop_grace_period: 15s\n\n  gateway:", "start_period: 10s\n    stop_grace_period: 5s\n\n  gateway:"},
		{serverFile, "stopWithin = 8", "stopWithin = 18"},
	}},
	{"every variable is one that the program reads", variables, []mutation{
		{supervisorFile, "BELFRY_LISTEN=", "BELFRY_LISTEN_ADDRESS="},
		{composeFile, "BELFRY_USER_CLAIM", "BELFRY_CLAIM"},
		{supervisorFile, "BELFRY_NAME=worker", "BELFRY_LISTEN=:1 BELFRY_NAME=worker"},
		{envFile, "BELFRY_USER_CLAIM", "BELFRY_JWT_USER_CLAIM"},
		{envFile, "TOWER_DATABASE", "TOWER_DB"},
		{gatewayEnv, "BELFRY_TRUSTED_PROXIES=", "BELFRY_TRUSTED_PROXY="},
		{workerEnv, "BELFRY_POLICY_FILE=", "BELFRY_LISTEN="},
		{apiEnv, "TOWER_DATABASE=", "TOWER_DB="},
		{composeFile, "TOWER_LISTEN", "TOWER_ADDRESS"},
		{gatewayUnit, "BELFRY_LISTEN=", "BELFRY_PORT="},
	}},
	{"programs are where they are installed", programs, []mutation{
		{gatewayUnit, "ExecStart=/usr/bin/belfry-gateway", "ExecStart=/usr/local/bin/gateway"},
		{supervisorFile, "exec /usr/bin/belfry-worker", "exec /usr/bin/worker"},
		{gatewayUnit, "EnvironmentFile=/etc/belfry/gateway.env", "EnvironmentFile=/etc/default/belfry"},
		{procFile, "worker: bin/worker", "worker: bin/work"},
		{procFile, "api: bin/tower serve", "api: cd bin && ./tower serve --port $PORT"},
	}},
	{"a program answers where it is asked", paths, []mutation{
		{nginxLocations, "location ~ ^/websocket", "location ~ ^/ws"},
		{edgeFile, `"/websocket"`, `"/ws"`},
		{composeFile, "http://127.0.0.1:9051/health/ready", "http://127.0.0.1:9051/ready"},
		{composeFile, "http://127.0.0.1:8050/health", "http://127.0.0.1:8050/healthz"},
		{adminFile, "GET /health/ready", "GET /ready"},
		{envFile, "8050/internal/authorize", "8050/authorize"},
		{workerEnv, "8050/internal/authorize", "8050/authorize"},
		{composeFile, "http://api:8050/internal/authorize", "http://api:8050/authorize"},
		{apiFile, "POST /internal/authorize", "POST /authorize"},
	}},
	{"containers find each other", containers, []mutation{
		{composeFile, "TOWER_LISTEN: 0.0.0.0:8050", "TOWER_LISTEN: 0.0.0.0:8060"},
		{nginxCompose, "server api:8050", "server api:8060"},
		{nginxCompose, "ssl_certificate /tmp/nginx/", "ssl_certificate /etc/nginx/"},
		{composeFile, "BELFRY_TRUSTED_PROXIES: 172.30.51.0/24", "BELFRY_TRUSTED_PROXIES: 172.30.0.0/24"},
		{dockerFile, "/src/bin/tower", "/src/bin/api"},
	}},
	{"a gateway may open as many files as it takes connections", descriptors, []mutation{
		{gatewayUnit, "LimitNOFILE=200000", "LimitNOFILE=20000"},
		{supervisorFile, "minfds=200000", "minfds=1024"},
	}},
	{"development has one broker, and nginx asks the application where it listens", development, []mutation{
		{envFile, "127.0.0.1:5673", "127.0.0.1:5672"},
		{brokerScript, "RABBITMQ_NODE_PORT=5673", "RABBITMQ_NODE_PORT=5672"},
		{nginxHTTP, "server 127.0.0.1:8050", "server 127.0.0.1:8059"},
		{towerFile, `Value: "127.0.0.1:8050"`, `Value: "127.0.0.1:8000"`},
		{envFile, "http://127.0.0.1:8050/internal", "http://127.0.0.1:8059/internal"},
	}},
	{"the broker has the users that the containers log in as", users, []mutation{
		{composeFile, "amqp://belfry-worker:", "amqp://worker:"},
		{composeFile, "BELFRY_GATEWAY_USERS: belfry-gateway", "BELFRY_GATEWAY_USERS: gateway"},
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
