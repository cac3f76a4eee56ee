package runner

import "errors"

// Template is a command that may be launched.
type Template struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Command []string `json:"command"`
}

// Templates are the commands on offer. Nothing that a user types reaches a shell.
var Templates = []Template{
	shell("count", "Count slowly to sixty",
		`i=1; while [ $i -le 60 ]; do echo "line $i of 60"; i=$((i+1)); sleep 0.25; done`),
	shell("deploy", "A deployment in colour", deployment),
	shell("machine", "What machine is this?", `uname -a; echo; cat /etc/os-release; echo; df -h /; echo; cat /proc/loadavg`),
	shell("primes", "Primes below two thousand",
		`n=2; while [ $n -lt 2000 ]; do f=$(factor $n); [ "$f" = "$n: $n" ] && echo $n; n=$((n+1)); done`),
	shell("fail", "A job that fails", `echo working; sleep 1; echo 'cannot go on' >&2; exit 3`),
}

// deployment only pretends. Its bar is drawn again and again on one line.
const deployment = `
say() { printf '\033[1;34m==>\033[0m \033[1m%s\033[0m\n' "$1"; }
say 'Fetching the release'
bar='' i=0
while [ $i -le 20 ]; do
	printf '\r\033[36m%-20s\033[0m %3d%%' "$bar" $((i * 5))
	bar="$bar#" i=$((i + 1))
	sleep 0.15
done
printf '\n'
for host in web1 web2 db1; do
	say "Host $host"
	printf '    configuration ... '; sleep 0.6; printf '\033[32mok\033[0m\n'
	printf '    service       ... '; sleep 0.6
	if [ $host = db1 ]; then printf '\033[33mchanged\033[0m\n'; else printf '\033[32mok\033[0m\n'; fi
done
printf '\n\033[1;32mDeployed.\033[0m \033[2m(Nothing was.)\033[0m\n'
`

func shell(name, title, script string) Template {
	return Template{Name: name, Title: title, Command: []string{"sh", "-c", script}}
}

// ErrNoTemplate says that there is no such template.
var ErrNoTemplate = errors.New("no such template")

// Find returns the template of a name.
func Find(name string) (Template, bool) {
	for _, t := range Templates {
		if t.Name == name {
			return t, true
		}
	}
	return Template{}, false
}
