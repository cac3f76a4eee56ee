package shipped

import (
	"strconv"
	"strings"
)

// supervised are the slots of the process's program in supervisord.conf.
func (p process) supervised() []slot {
	at := func(pattern, value string) slot {
		return slot{file: supervisorFile, pattern: inProgram(p.name, pattern), value: value}
	}
	start := binaries + p.binary + p.command
	if p.own != "" {
		start = strings.ReplaceAll(p.own, "%", "%(process_num)d") + " exec " + start
	} else {
		start = "exec " + start
	}
	out := []slot{
		at(`command=/bin/sh -c 'set -a; (.*)'`, ". "+settingsIn+p.name+".env; "+start),
		at(`user=(\w+)`, user),
		at(`startretries=(\d+)`, retries),
		at(`stopsignal=(\w+)`, "TERM"),
		at(`stopwaitsecs=(\d+)`, stops()[p.name]),
	}
	if p.own != "" {
		out = append(out, at(`numprocs=(\d+)`, strconv.Itoa(processes)), at(`numprocs_start=(\d+)`, "1"))
	}
	return out
}

// unitSlots are the slots of the process's unit and of its sample of variables.
func (p process) unitSlots() []slot {
	at := func(pattern, value string) slot { return slot{file: p.unit, pattern: pattern, value: value} }
	out := []slot{
		at(`^ExecStart=(.*)$`, binaries+p.binary+p.command),
		at(`^EnvironmentFile=(\S+)`, settingsIn+p.name+".env"),
		at(`^User=(\S+)`, user),
		at(`^Group=(\S+)`, user),
		at(`^KillSignal=(\S+)`, "SIGTERM"),
		at(`^TimeoutStopSec=(\d+)`, stops()[p.name]),
		at(`^StartLimitIntervalSec=(\d+)`, "0"),
		at(`^Restart=(\w+)`, "always"),
		{file: p.sample, pattern: `^# (\S+): `, value: settingsIn + p.name + ".env"},
		{file: p.sample, pattern: `^BELFRY_AMQP_URL=amqp://([\w-]+):`, value: map[string]string{"gateway": gatewayUser, "worker": workerUser, "api": backendUser}[p.name]},
		{file: p.sample, pattern: `^BELFRY_AMQP_URL=\S+@127\.0\.0\.1:(\d+)/`, value: brokerPort},
	}
	if p.own != "" {
		out = append(out, at(`^Environment=(.*)$`, strings.ReplaceAll(p.own, "%", "%i")),
			slot{file: p.sample, pattern: `^BELFRY_GATEWAY_USERS=(\S+)`, value: gatewayUser},
			slot{file: p.sample, pattern: `^BELFRY_WORKER_USERS=(\S+)`, value: workerUser})
	}
	return out
}
