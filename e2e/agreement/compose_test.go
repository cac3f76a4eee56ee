package agreement

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"belfry/e2e/harness"
)

func project(t *testing.T) *types.Project {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, composeFile)}, cli.WithName("belfry"), cli.WithWorkingDirectory(root), cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestComposeFile loads the file with the library that docker compose itself uses.
func TestComposeFile(t *testing.T) {
	p := project(t)
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range p.Services {
		t.Run(name, func(t *testing.T) {
			if s.Build != nil && !strings.Contains(read(t)[dockerFile], " AS "+s.Build.Target+"\n") {
				t.Errorf("the Dockerfile has no stage %q", s.Build.Target)
			}
			if !slices.Contains(s.Profiles, "tools") && s.HealthCheck == nil {
				t.Error("it has no health check")
			}
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind && !exists(v.Source) {
					rel, _ := filepath.Rel(root, v.Source)
					t.Errorf("%s is mounted and not in the repository", rel)
				}
			}
			for _, v := range s.Volumes {
				if info, err := os.Stat(v.Source); err == nil && strings.HasPrefix(v.Target, "/docker-entrypoint.d/") && info.Mode()&0o111 == 0 {
					t.Errorf("%s is not executable: the image would pass over it", v.Source)
				}
			}
			for _, port := range s.Ports {
				if port.HostIP != "127.0.0.1" {
					t.Errorf("port %s of a development installation is open to the network", port.Published)
				}
			}
			if s.ContainerName != "" {
				t.Error("a service with a container name cannot be scaled")
			}
			for other := range s.DependsOn {
				if _, there := p.Services[other]; !there {
					t.Errorf("it depends on %s, which is not there", other)
				}
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestComposeConfig lets the command itself look at the file; it needs no engine.
func TestComposeConfig(t *testing.T) {
	if testing.Short() {
		t.Skip("needs docker-compose: not in -short")
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker-compose", "config", "--quiet")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker-compose config: %v\n%s", err, out)
	}
}
