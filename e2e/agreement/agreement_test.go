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
		{supervisorFile, "stopwaitsecs=10", "stopwaitsecs=9"},
		{apiUnit, "TimeoutStopSec=12", "TimeoutStopSec=8"},
		{composeFile, "stop_grace_period: 15s\n\n  gateway:", "stop_grace_period: 5s\n\n  gateway:"},
		{towerServer, "stopWithin = 8 * time.Second", "stopWithin = 10 * time.Second"},
		{supervisorUnit, "TimeoutStopSec=90", "TimeoutStopSec=50"},
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
	{"programs are where they are installed", programs, []mutation{
		{gatewayUnit, "ExecStart=/usr/bin/belfry-gateway", "ExecStart=/usr/local/bin/gateway"},
		{supervisorFile, "exec /usr/bin/belfry-worker", "exec /usr/bin/worker"},
		{gatewayUnit, "EnvironmentFile=/etc/belfry/gateway.env", "EnvironmentFile=/etc/default/belfry"},
		{gatewayUnit, "127.0.0.1:805%i", "127.0.0.1:806%i"},
		{workerUnit, "BELFRY_NAME=worker-%i ", ""},
		{apiUnit, "belfry-tower serve", "belfry-tower demo"},
		{apiUnit, "User=belfry", "User=tower"},
		{procFile, "worker: bin/worker", "worker: bin/work"},
		{procFile, "api: bin/tower serve", "api: cd bin && ./tower serve --port $PORT"},
	}},
	{"nothing is given up after some quick restarts", persistence, []mutation{
		{gatewayUnit, "StartLimitIntervalSec=0\n", ""},
		{workerUnit, "Restart=always", "Restart=on-failure"},
		{apiUnit, "StartLimitIntervalSec=0", "StartLimitIntervalSec=10"},
		{supervisorFile, "startretries=1000000", "startretries=3"},
	}},
	{"a gateway may open as many files as it takes connections", descriptors, []mutation{
		{gatewayUnit, "LimitNOFILE=200000", "LimitNOFILE=20000"},
		{supervisorFile, "minfds=200000", "minfds=1024"},
		{supervisorUnit, "LimitNOFILE=200000", "LimitNOFILE=1024"},
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
		{workerEnv, "BELFRY_GATEWAY_USERS=belfry-gateway", "BELFRY_GATEWAY_USERS=gateway"},
		{apiEnv, "amqp://belfry-backend:", "amqp://tower:"},
	}},
	{"compose's services are asked where they listen", composePorts, []mutation{
		{composeFile, "TOWER_LISTEN: 0.0.0.0:8050", "TOWER_LISTEN: 0.0.0.0:8000"},
		{nginxCompose, "server api:8050", "server api:8051"},
		{composeFile, "http://api:8050/", "http://api:80/"},
		{composeFile, "http://127.0.0.1:8050/health", "http://127.0.0.1:8051/health"},
		{dockerFile, "EXPOSE 8050", "EXPOSE 8051"},
		{composeFile, "127.0.0.1:5672:5672", "127.0.0.1:5672:5671"},
		{composeFile, "gateway-development@broker:5672", "gateway-development@broker:5673"},
		{rabbitFile, "listeners.tcp.default = 5672", "listeners.tcp.default = 5671"},
	}},
	{"gateways believe nginx about addresses", proxies, []mutation{
		{composeFile, "BELFRY_TRUSTED_PROXIES: 172.30.51.0/24", "BELFRY_TRUSTED_PROXIES: 172.30.52.0/24"},
		{composeFile, "subnet: 172.30.51.0/24", "subnet: 172.30.0.0/16"},
		{gatewayEnv, "BELFRY_TRUSTED_PROXIES=127.0.0.1", "BELFRY_TRUSTED_PROXIES=127.0.0.2"},
		{envFile, "BELFRY_TRUSTED_PROXIES=127.0.0.1\n", ""},
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
	{"the worker, and nobody else, asks where the example answers", authorizePath, []mutation{
		{towerAPI, "POST /internal/authorize", "POST /internal/may-see"},
		{envFile, "/internal/authorize", "/authorize"},
		{composeFile, "/internal/authorize", "/internal"},
		{workerEnv, "/internal/authorize", "/api/authorize"},
		{nginxLocations, "location /internal/ {", "location /inside/ {"},
	}},
	{"health is asked for where it is answered", healthPaths, []mutation{
		{adminFile, "GET /health/ready", "GET /ready"},
		{composeFile, "9051/health/ready", "9051/ready"},
		{composeFile, "8050/health\"", "8050/healthz\""},
		{composeFile, "8013/health\"", "8013/health/ready\""},
		{towerAPI, `"GET /health"`, `"GET /healthz"`},
	}},
	{"certificates are written where they are read", certificates, []mutation{
		{certificateScript, `-out "$dir/certificate.pem"`, `-out "$dir/cert.pem"`},
		{certificateScript, "${1:-tmp/nginx}", "${1:-tmp/tls}"},
		{nginxDev, "../../tmp/nginx/key.pem", "tmp/nginx/key.pem"},
		{nginxCompose, "/tmp/nginx/certificate.pem", "/etc/nginx/certificate.pem"},
		{composeFile, "10-certificate.sh", "10-certificate"},
		{nginxScript, "deploy/nginx/certificate\n", ""},
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
