package main

// everything is all that can be tested here.
func everything() []lane {
	full := []string{"BELFRY_TEST_FULL=1"}
	return []lane{{
		checks,
		units("-race", "-p", "2", "-count=1", "-shuffle=on", "-timeout", "30m"),
		goTest("e2e", "e2e", "-p", parallel, "-parallel", parallel, "-shuffle=on", "-timeout", "60m", "./...").with(full...),
		script("clients/js", "scripts/browser-clients.sh", "client"),
		script("examples/tower/browser", "scripts/browser-clients.sh", "tower"),
	}}
}
