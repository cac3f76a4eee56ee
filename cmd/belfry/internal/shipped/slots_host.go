package shipped

import (
	gateway "belfry/services/gateway/app"
	worker "belfry/services/worker/app"
)

const (
	supervisorFile = "deploy/supervisord/supervisord.conf"
	supervisorUnit = "deploy/systemd/belfry-supervisord.service"
)

// inProgram is a pattern within one of supervisord's programs.
func inProgram(name, pattern string) string {
	return `^\[program:belfry-` + name + `\]\n(?:[^\[\n].*\n)*?` + pattern
}

// process is a program as supervisord and systemd run it.
type process struct {
	name, unit, sample, binary, command string
	own                                 string // variables that differ from process to process; %: its number
}

func hosted() []process {
	return []process{
		{"gateway", "deploy/systemd/belfry-gateway@.service", "deploy/etc/gateway.env", "gateway", "",
			"BELFRY_NAME=gateway-% BELFRY_LISTEN=" + loopback + ":" + numbered(gatewayPort()) + "% BELFRY_ADMIN_LISTEN=" + loopback + ":" + numbered(adminPort()) + "%"},
		{"worker", "deploy/systemd/belfry-worker@.service", "deploy/etc/worker.env", "worker", "",
			"BELFRY_NAME=worker-% BELFRY_ADMIN_LISTEN=" + loopback + ":" + workerAdmin + "%"},
		{"api", "deploy/systemd/belfry-api.service", "deploy/etc/api.env", "tower", " serve", ""},
	}
}

// ofHosts are the slots of supervisord, systemd and Prometheus.
func ofHosts() []slot {
	const scrape = "deploy/prometheus/prometheus.yml"
	out := []slot{
		{file: scrape, pattern: `job_name: belfry-gateway\n(?:.*\n)*?.*targets: \[(.*)\]`, value: targets(numbered(adminPort()))},
		{file: scrape, pattern: `job_name: belfry-worker\n(?:.*\n)*?.*targets: \[(.*)\]`, value: targets(workerAdmin)},
		{file: scrape, pattern: `^rule_files:\n  - (\S+)$`, value: "belfry.rules.yml"},
		{file: supervisorFile, pattern: `^minfds=(\d+)`, value: descriptors()},
		{file: supervisorFile, pattern: `own grace period is (\d+) s\.\nstop`, value: seconds(worker.Grace)},
		{file: supervisorFile, pattern: `drain, whose grace period is (\d+) s`, value: seconds(gateway.Grace)},
		{file: supervisorUnit, pattern: `^TimeoutStopSec=(\d+)`, value: allStop()},
		{file: supervisorUnit, pattern: `^LimitNOFILE=(\d+)`, value: descriptors()},
		{file: supervisorUnit, pattern: `supervisord -n -c (\S+)$`, value: settingsIn + "supervisord.conf"},
		{file: supervisorUnit, pattern: `^StartLimitIntervalSec=(\d+)`, value: "0"},
		{file: supervisorUnit, pattern: `^Restart=(\w+)`, value: "always"},
		{file: "deploy/systemd/belfry-gateway@.service", pattern: `^LimitNOFILE=(\d+)`, value: descriptors()},
		{file: "deploy/systemd/belfry-gateway@.service", pattern: `websockets on port (\d+)%i`, value: numbered(gatewayPort())},
		{file: "deploy/systemd/belfry-api.service", pattern: `of Belfry: port (\d+)`, value: apiPort},
		{file: "deploy/systemd/belfry-api.service", pattern: `own bound for the end, (\d+) s`, value: seconds(apiStops)},
	}
	for _, p := range hosted() {
		out = append(out, p.supervised()...)
		out = append(out, p.unitSlots()...)
	}
	return out
}
