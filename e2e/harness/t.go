package harness

// T is what the harness needs of whoever starts something with it: a test, or a
// program such as the benchmark. Every testing.TB is one. Fatal and Fatalf do not
// return, and Cleanup's functions run in reverse order.
type T interface {
	Helper()
	TempDir() string
	Cleanup(undo func())
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
}
