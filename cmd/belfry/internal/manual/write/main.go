// Command write writes docs/configuration.md to the path that it is given.
package main

import (
	"fmt"
	"os"

	"belfry/cmd/belfry/internal/manual"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write PATH")
		os.Exit(2)
	}
	text, err := manual.Configuration()
	if err == nil {
		err = os.WriteFile(os.Args[1], []byte(text), 0o644) //nolint:gosec // a document
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
}
