# Functions for scripts that make root folders of Debian systems; it is sourced.

# debian_cache prints the folder in which root folders are kept between runs.
debian_cache() { echo "${BELFRY_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/belfry}"; }

# debian_root makes a root folder of a Debian release with packages in it, unless
# it is there. It says on standard error what it does. A folder that is there is
# a whole one: it gets its name last.
debian_root() { # release, folder, packages...
	local release=$1 folder=$2 making=$2.making log=$2.log
	shift 2
	[ ! -d "$folder" ] || return 0
	[ "$(id -u)" -eq 0 ] || { echo "Only root can make a root folder: run this once as root, $folder is kept." >&2; return 1; }
	mkdir -p "$(dirname "$folder")"
	exec 9>"$folder.lock"
	flock 9 # another run may be making it
	[ ! -d "$folder" ] || { exec 9>&-; return 0; }
	if ! command -v debootstrap >/dev/null; then
		echo "== installing debootstrap" >&2
		apt-get install -y -q --no-install-recommends debootstrap >"$log" 2>&1 || { tail -5 "$log" >&2; return 1; }
	fi
	rm -rf --one-file-system "$making"
	echo "== making $folder: Debian $release with $* (about a minute; $log tells more)" >&2
	if ! debootstrap --variant=minbase "$release" "$making" >>"$log" 2>&1; then
		echo "debootstrap failed; the end of $log:" >&2
		tail -5 "$log" >&2
		return 1
	fi
	# Packages are configured behind the base system, with /proc and /dev, and
	# start nothing. The mounts are in a mount namespace of their own.
	printf '#!/bin/sh\nexit 101\n' >"$making/usr/sbin/policy-rc.d"
	chmod 755 "$making/usr/sbin/policy-rc.d"
	if ! unshare --mount sh -ec '
		mount -t proc proc "$1/proc"
		mount --rbind /dev "$1/dev"
		root=$1
		shift
		exec chroot "$root" env DEBIAN_FRONTEND=noninteractive sh -ec "apt-get update -q; apt-get install -y -q --no-install-recommends \"\$@\"; apt-get clean" sh "$@"
	' sh "$making" "$@" >>"$log" 2>&1; then
		echo "the packages could not be installed; the end of $log:" >&2
		tail -5 "$log" >&2
		return 1
	fi
	mv "$making" "$folder"
	exec 9>&-
}
