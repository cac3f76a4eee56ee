// Command write writes the generated files, and the values in the shipped ones,
// below the root that it is given.
package main

import (
	"errors"
	"fmt"
	"os"

	"belfry/cmd/belfry/internal/manual"
	"belfry/cmd/belfry/internal/shipped"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write ROOT, the folder with go.work; for example: write ../..")
		os.Exit(2)
	}
	if err := errors.Join(manual.Write(os.Args[1]), shipped.Write(os.Args[1])); err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
}
