// Package containers runs docker-compose.yml on a container engine of its own:
// Debian's dockerd in namespaces of its own, with its own data folder and socket,
// compose v2 built from its Go module, and images made from Debian's packages
// under the names of those that the files ask for, because tests reach no image
// registry. scripts/engine.sh fetches and builds these parts.
//
// Everything is behind the build tag "containers":
//
//	cd e2e && go test -tags containers -count=1 -v -run Containers ./containers ./blackbox
//
// An engine needs root and overlayfs. Where one cannot run, the tests are skipped
// and say why.
package containers
