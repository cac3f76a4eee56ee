package deployment

import (
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/e2e/harness"
)

// nobody is the images' USER.
const nobody = 65534

// TestDockerfile does by hand what an engine would do: it builds in what COPY
// copies, and starts each image's program in a root folder that holds what the
// image holds and nothing else, as nobody, who may write nowhere but where compose
// mounts a tmpfs. The base images and the apt-get step are not fetched or run.
func TestDockerfile(t *testing.T) {
	needsBroker(t)
	if !harness.Namespace(t) {
		return
	}
	all := stages(t)
	built := build(t, all["build"])
	for _, name := range []string{"gateway", "worker", "belfry", "tower"} {
		program := filepath.Join(built, "bin", name)
		static(t, program)
		if version, err := exec.Command(program, "--version").CombinedOutput(); name == "belfry" && (err != nil || !strings.Contains(string(version), "from-the-dockerfile")) {
			t.Errorf("belfry --version: %s, %v: ARG VERSION does not arrive", version, err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("only root may change the root folder: the programs were built and not started")
	}
	broker := harness.OwnBroker(t)
	compose := repositoryFile(t, "docker-compose.yml")
	secret := repositoryFile(t, "deploy/development/jwt.secret")
	for _, image := range []struct {
		name, tmpfs, health string
		env                 []string
		mounted             map[string]string
	}{
		{name: "worker", health: healthCheck(t, compose, "worker"), env: []string{
			"BELFRY_DEVELOPMENT=true", "BELFRY_ADMIN_LISTEN=127.0.0.1:9051", "BELFRY_JWT_SECRET_FILE=/etc/belfry/jwt.secret", "BELFRY_POLICY_FILE=/etc/belfry/policy.json",
		}, mounted: map[string]string{"/etc/belfry/jwt.secret": secret, "/etc/belfry/policy.json": repositoryFile(t, "configs/policy.tower.json")}},
		{name: "gateway", health: healthCheck(t, compose, "gateway"), env: []string{"BELFRY_ADMIN_LISTEN=127.0.0.1:9052"}},
		{name: "tower", tmpfs: "/tmp", env: []string{
			"BELFRY_DEVELOPMENT=true", "BELFRY_JWT_SECRET_FILE=/etc/belfry/jwt.secret", "BELFRY_AUTHORIZE_SECRET_FILE=/etc/belfry/jwt.secret", "TOWER_DATABASE=/tmp/tower.db", "TOWER_LISTEN=127.0.0.1:8050",
		}, mounted: map[string]string{"/etc/belfry/jwt.secret": secret}},
	} {
		s := all[image.name]
		root := rootFolder(t, s, built)
		for path, text := range image.mounted {
			place(t, filepath.Join(root, path), []byte(text), 0o644)
		}
		if image.tmpfs != "" {
			if err := os.Mkdir(filepath.Join(root, image.tmpfs), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(root, image.tmpfs), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		before := everything(t, root, image.tmpfs)
		if image.name == "gateway" { // beside the worker, whose port is the same in its own container
			image.health = strings.Replace(image.health, ":9051/", ":9052/", 1)
		}
		process := inside(t, root, words(t, s, "ENTRYPOINT"), words(t, s, "CMD")...)
		process.Env = append(image.env, "BELFRY_AMQP_URL="+broker.URL())
		var said strings.Builder
		process.Stdout, process.Stderr = &said, &said
		if err := process.Start(); err != nil {
			t.Fatalf("start the image %s: %v", image.name, err)
		}
		ended := make(chan error, 1)
		go func() { ended <- process.Wait() }()
		t.Cleanup(func() {
			_ = process.Process.Signal(syscall.SIGTERM)
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("the image %s ended: %v\n%s", image.name, err, said.String())
				}
			case <-time.After(40 * time.Second):
				_ = process.Process.Kill()
				t.Errorf("the image %s does not end", image.name)
			}
			if after := everything(t, root, image.tmpfs); !slices.Equal(before, after) {
				t.Errorf("the image %s wrote into its file system: %v, before %v", image.name, after, before)
			}
		})
		until(t, "the health of the image "+image.name, 60*time.Second, func() error {
			if image.health == "" { // Debian's wget, which the step that is not run installs
				return answers(http.DefaultClient, "http://127.0.0.1:8050/health")
			}
			check := strings.Fields(image.health)
			if out, err := inside(t, root, check[:1], check[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w %s", image.health, err, out)
			}
			return nil
		})
	}
}

// static fails when a program needs anything of the system around it.
func static(t *testing.T, program string) {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	libraries, _ := file.ImportedLibraries()
	interpreted := slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if len(libraries) > 0 || interpreted {
		t.Errorf("%s is not static: it needs %v", filepath.Base(program), libraries)
	}
}

// healthCheck is the command that compose runs in a service's container.
func healthCheck(t *testing.T, compose, service string) string {
	t.Helper()
	_, part, _ := strings.Cut(compose, "\n  "+service+":\n")
	command := regexp.MustCompile(`test: \["CMD", (.*)\]`).FindStringSubmatch(part)
	if command == nil {
		t.Fatalf("%s has no health check", service)
	}
	return strings.NewReplacer(`"`, "", ",", "").Replace(command[1])
}

// words are those of a step in JSON form; none without such a step.
func words(t *testing.T, s stage, kind string) []string {
	t.Helper()
	steps := s.of(kind)
	if len(steps) == 0 {
		return nil
	}
	return strings.Fields(strings.NewReplacer("[", "", "]", "", `"`, "", ",", " ").Replace(steps[len(steps)-1]))
}

// rootFolder holds what the stage copies, and a /dev/null, as an engine gives it.
func rootFolder(t *testing.T, s stage, built string) string {
	t.Helper()
	root := t.TempDir()
	for _, step := range s.of("COPY") {
		parts := strings.Fields(step) // --from, source, destination
		source := strings.Replace(parts[1], "/src", built, 1)
		if parts[0] != "--from=build" && !strings.HasPrefix(parts[0], "--from=busybox:") {
			t.Fatalf("COPY %s is from somewhere that this test does not know", step)
		}
		content, err := os.ReadFile(source) // or the system's own, of the same name
		if err != nil {
			t.Fatal(err)
		}
		place(t, filepath.Join(root, parts[2]), content, 0o755)
	}
	if user := s.of("USER"); !slices.Equal(user, []string{fmt.Sprintf("%d:%d", nobody, nobody)}) {
		t.Errorf("the image's user is %v", user)
	}
	if err := os.Mkdir(filepath.Join(root, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	null := filepath.Join(root, "dev", "null")
	if err := syscall.Mknod(null, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(null, 0o666); err != nil {
		t.Fatal(err)
	}
	return root
}

func place(t *testing.T, path string, content []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
}

// everything is all paths below a root, but not what is in its tmpfs.
func everything(t *testing.T, root, tmpfs string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		paths = append(paths, path)
		if tmpfs != "" && path == filepath.Join(root, tmpfs) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// inside is a command as nobody with root as its root folder.
func inside(t *testing.T, root string, command []string, args ...string) *exec.Cmd {
	t.Helper()
	if len(command) == 0 {
		t.Fatal("there is nothing to run")
	}
	all := slices.Concat(command, args)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, all[0], all[1:]...)
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Setpgid: true, Pdeathsig: syscall.SIGKILL,
	}
	return cmd
}
