package harness

import (
	"os"
	"time"
)

// FullVariable names the environment variable that asks for everything: each row
// in each form, and periods held to what is promised. `make verify` sets it, and
// then runs one test at a time.
const FullVariable = "BELFRY_TEST_FULL"

// Full reports whether everything is asked for.
func Full() bool { return os.Getenv(FullVariable) != "" }

// hang is when something that should have happened will not happen any more, on
// a machine with much else to do.
const hang = 2 * time.Minute

// Within is how long something may take that is promised within a period. On a
// machine that others use nothing is promised, so only Full holds it to that.
func Within(promise time.Duration) time.Duration {
	if Full() {
		return promise
	}
	return max(promise, hang)
}
