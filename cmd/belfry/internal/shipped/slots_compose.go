package shipped

import (
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

const composeFile = "docker-compose.yml"

// inService is a pattern within one service of docker-compose.yml. A service
// begins with its name and ends before the next line that is as little indented.
func inService(name, pattern string) string {
	return `^  ` + name + `:.*\n(?:(?:   .*)?\n)*?   .*?` + pattern
}

// ofContainers are the slots of docker-compose.yml and the Dockerfile.
func ofContainers() []slot {
	at := func(pattern, value string) slot { return slot{file: composeFile, pattern: pattern, value: value} }
	out := []slot{
		at(`https://127\.0\.0\.1:(\d+)/ \(self-signed\)`, devHTTPS),
		at(`or http://127\.0\.0\.1:(\d+)/,`, devHTTP),
		at(inService("broker", `ports: \["127\.0\.0\.1:([\d:]+)"\]`), brokerPort+":"+brokerPort),
		at(inService("nginx", `ports: \["127\.0\.0\.1:([\d:]+)",`), devHTTP+":"+devHTTP),
		at(inService("nginx", `ports: \[.*, "127\.0\.0\.1:([\d:]+)"\]`), devHTTPS+":"+devHTTPS),
		at(inService("nginx", `test: .*"http://127\.0\.0\.1:([^"]+)"\]`), devHTTP+apiHealth),
		at(inService("nginx", `- (\S+):ro # into /tmp/nginx`), "./deploy/nginx/certificate:/docker-entrypoint.d/10-certificate.sh"),
		at(inService("api", `TOWER_LISTEN: 0\.0\.0\.0:(\d+)`), apiPort),
		at(inService("api", `test: .*"http://127\.0\.0\.1:([^"]+)"\]`), apiPort+apiHealth),
		at(inService("gateway", `ports: \["127\.0\.0\.1:([\d:-]+)"\]`), gatewayPort()+"-"+numbered(gatewayPort())+"9:"+gatewayPort()),
		at(inService("gateway", `BELFRY_TRUSTED_PROXIES: (\S+)`), network),
		at(`subnet: ([\d./]+)`, network),
		at(inService("gateway", `test: .*"http://127\.0\.0\.1:([^"]+)"\]`), adminPort()+readyPath),
		at(inService("worker", `test: .*"http://127\.0\.0\.1:([^"]+)"\]`), adminPort()+readyPath),
		at(inService("worker", `BELFRY_ADMIN_LISTEN: 127\.0\.0\.1:(\d+)`), adminPort()),
		at(inService("worker", `BELFRY_AUTHORIZE_URL: http://api:(\S+)`), apiPort+authorizePath),
		at(`BELFRY_GATEWAY_USERS: (\S+)`, gatewayUser),
		at(`BELFRY_WORKER_USERS: (\S+)`, workerUser),
		at(`own grace period is (\d+) s\n\n  worker`, seconds(gateway.Grace)),
		at(`own grace period is (\d+) s\n\n  belfry`, seconds(worker.Grace)),
		{file: composeFile, pattern: `@broker:(\d+)/`, value: brokerPort, times: 4},
		{file: "Dockerfile", pattern: ` AS tower\n(?:.*\n)*?EXPOSE (\d+)`, value: apiPort},
		{file: "Dockerfile", pattern: ` AS gateway\n(?:.*\n)*?EXPOSE (\d+)`, value: gatewayPort()},
	}
	for service, user := range map[string]string{"api": backendUser, "gateway": gatewayUser, "worker": workerUser, "belfry": backendUser} {
		out = append(out, at(inService(service, `BELFRY_AMQP_URL: amqp://([\w-]+):`), user))
	}
	for service, wait := range stops() {
		out = append(out, at(inService(service, `stop_grace_period: (\d+)s`), wait))
	}
	return out
}
