//go:build containers

package containers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// named finds the images that docker-compose.yml and the Dockerfile name, but not
// the stages of the Dockerfile.
var named = regexp.MustCompile(`(?m)^\s*image: (\S+)|^FROM (\S+:\S+) AS|--from=(\S+:\S+)`)

// images makes a stand-in for each image that the repository's files name, and
// then what docker compose build makes.
func (d *daemon) images() error {
	var wanted []string
	for _, file := range []string{"docker-compose.yml", "Dockerfile"} {
		text, err := os.ReadFile(filepath.Join(d.root, file))
		if err != nil {
			return fmt.Errorf("find the images' names: %w", err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			wanted = append(wanted, m[1]+m[2]+m[3])
		}
	}
	slices.Sort(wanted) // debian is made before what is based on it
	for _, image := range slices.Compact(wanted) {
		if err := d.standIn(image); err != nil {
			return fmt.Errorf("make a stand-in for %s: %w", image, err)
		}
	}
	fmt.Println("== docker compose build")
	if _, err := d.compose("--file", "docker-compose.yml", "--file", "e2e/containers/standins/build.yml", "--profile", "tools", "build"); err != nil {
		return err
	}
	_, err := d.docker("image", "prune", "--force") // those that had the names before
	return err
}

func (d *daemon) standIn(image string) error {
	name, _, _ := strings.Cut(image, ":")
	switch name {
	case "debian":
		return d.importFolder(image, filepath.Join(d.folder, "bookworm"))
	case "busybox":
		folder, err := os.MkdirTemp("", "belfry-busybox-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		if out, err := exec.Command("install", "-D", "/bin/busybox", filepath.Join(folder, "bin", "busybox")).CombinedOutput(); err != nil {
			return fmt.Errorf("copy /bin/busybox: %w: %s", err, out)
		}
		return d.importFolder(image, folder)
	case "golang":
		return d.golang(image)
	case "rabbitmq":
		if err := d.importFolder("belfry-standin/rabbitmq-root:latest", filepath.Join(d.folder, "rabbitmq")); err != nil {
			return err
		}
		return d.build(image, name, nil)
	case "nginx":
		return d.build(image, name, nil)
	}
	return fmt.Errorf("no stand-in is known: add one to e2e/containers/standins")
}

// golang has the Go that runs the tests, and reaches modules as it does.
func (d *daemon) golang(image string) error {
	out, err := exec.Command("go", "env", "GOROOT", "GOVERSION", "GOPROXY", "GOSUMDB").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	env := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := d.importFolder("belfry-standin/go:"+env[1], env[0]); err != nil {
		return err
	}
	return d.build(image, "golang", []string{"/etc/ssl/certs/ca-certificates.crt"},
		"--build-arg", "GO="+env[1], "--build-arg", "GOPROXY="+env[2], "--build-arg", "GOSUMDB="+env[3])
}

// importFolder makes an image of a folder, unless the engine's data has it.
func (d *daemon) importFolder(image, folder string) error {
	if _, err := d.docker("image", "inspect", image); err == nil {
		return nil
	}
	fmt.Println("== import", image)
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return err
	}
	_, err = d.command(nil, "sh", "-c", `tar --one-file-system --numeric-owner -C "$0" -c . | docker import - "$1"`, folder, image)
	return err
}

// build builds an image of standins/name, with more files beside those there. What
// has not changed comes from the engine's cache.
func (d *daemon) build(image, name string, files []string, arguments ...string) error {
	fmt.Println("== build", image)
	folder, err := os.MkdirTemp("", "belfry-standin-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	copying := append([]string{"-Lr", filepath.Join(d.root, "e2e", "containers", "standins", name) + "/."}, files...)
	if out, err := exec.Command("cp", append(copying, folder)...).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the stand-in's files: %w: %s", err, out)
	}
	_, err = d.docker(append(append([]string{"build", "--network", "host", "--tag", image}, arguments...), folder)...)
	return err
}
