// A guest kernel that is not one: tries to get out in every way that it knows, and says what the machine answered.
//
// usage: attacker FILE PID ABSTRACT TCP-PORT SOCKET...
//   FILE      a file of the host that was not shown
//   PID       a process of the host, as the host counts it
//   ABSTRACT  the name of an abstract socket of the host
//   TCP-PORT  where the host listens on loopback
//   SOCKET    paths of unix sockets of the host and of other guests
// Says one line for each try: its name and the number of the error, 0 when it succeeded.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(const char *name, long result)
{
	printf("%s %d\n", name, result < 0 ? errno : 0);
}

static void call(const char *name, long number, long a, long b, long c, long d, long e)
{
	tell(name, syscall(number, a, b, c, d, e, 0));
}

static void try_open(const char *name, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	tell(name, fd);
	if (fd >= 0)
		close(fd);
}

static void try_connect(const char *name, int family, int type, const void *address, socklen_t length)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	tell(name, fd < 0 ? fd : connect(fd, address, length));
	if (fd >= 0)
		close(fd);
}

static void try_unix(const char *name, const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	try_connect(name, AF_UNIX, type, &address, sizeof(address));
}

static void files(const char *secret)
{
	char path[4200];
	try_open("file", secret, O_RDONLY);
	try_open("shadow", "/etc/shadow", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/root/..%s", secret);
	try_open("file-above-root", path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/cwd/../../../../../..%s", secret);
	try_open("file-above-folder", path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/1/root%s", secret);
	try_open("file-of-first", path, O_RDONLY);
	tell("link-and-follow", symlink(secret, "/run/guest/link") < 0 ? -1 : open("/run/guest/link", O_RDONLY));
	unlink("/run/guest/link");
	try_open("own-program", "/proc/self/exe", O_WRONLY);
	try_open("make-in-root", "/made", O_WRONLY | O_CREAT);
	try_open("sysrq", "/proc/sysrq-trigger", O_WRONLY);
	try_open("core-pattern", "/proc/sys/kernel/core_pattern", O_WRONLY);
	try_open("kcore", "/proc/kcore", O_RDONLY);
	try_open("sys", "/sys/kernel", O_RDONLY);
	try_open("cgroups", "/sys/fs/cgroup/cgroup.procs", O_WRONLY);
	try_open("mem", "/dev/mem", O_RDWR);
	try_open("disk", "/dev/vda", O_RDWR);
	try_open("kmsg", "/dev/kmsg", O_RDWR);
	tell("mknod-disk", mknod("/run/guest/disk", S_IFBLK | 0600, makedev(254, 0)));
	tell("mknod-mem", mknod("/run/memory/mem", S_IFCHR | 0600, makedev(1, 1)));
	call("open-by-handle", SYS_open_by_handle_at, AT_FDCWD, 0, O_RDONLY, 0, 0);
	tell("chroot", chroot("/run/guest"));
}

static void processes(int pid)
{
	char path[64], byte;
	struct iovec here = { &byte, 1 }, there = { (void *)0x400000, 1 };
	tell("kill", kill(pid, 0));
	tell("kill-parent", kill(getppid() ? getppid() : pid, 0));
	tell("ptrace", ptrace(PTRACE_ATTACH, pid, 0, 0));
	tell("read-memory", process_vm_readv(pid, &here, 1, &there, 1, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	try_open("proc-mem", path, O_RDONLY);
	tell("setuid-root", setuid(0));
	tell("setgid-root", setgid(0));
	call("pidfd", SYS_pidfd_open, pid, 0, 0, 0, 0);
	tell("outlive", prctl(PR_SET_PDEATHSIG, 0));
	tell("priority", setpriority(0, 0, -5));
	try_open("less-likely-killed", "/proc/self/oom_score_adj", O_RDONLY);
}

static void networks(const char *abstract, int port)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct sockaddr_in tcp = { .sin_family = AF_INET, .sin_port = htons(port) };
	tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	strncpy(name.sun_path + 1, abstract, sizeof(name.sun_path) - 2);
	try_connect("abstract", AF_UNIX, SOCK_STREAM, &name, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(abstract));
	try_connect("tcp", AF_INET, SOCK_STREAM, &tcp, sizeof(tcp));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tcp.sin_port = 0;
	tell("listen", bind(fd, (struct sockaddr *)&tcp, sizeof(tcp)));
	close(fd);
	tell("raw", socket(AF_INET, SOCK_RAW, 1));
	tell("packet", socket(AF_PACKET, SOCK_RAW, 0));
	tell("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	tell("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
}

static void namespaces(void)
{
	tell("mount", mount("none", "/run/guest", "tmpfs", 0, ""));
	tell("unmount", umount2("/run/guest", MNT_DETACH));
	call("pivot-root", SYS_pivot_root, (long)"/run/guest", (long)"/run/guest", 0, 0, 0);
	call("move-mount", SYS_move_mount, -1, (long)"", -1, (long)"/", 0);
	tell("setns", setns(open("/proc/self/ns/user", O_RDONLY), 0));
	// In children, so that what succeeds changes nothing for the tries that follow.
	int spaces[] = { CLONE_NEWUSER, CLONE_NEWUSER | CLONE_NEWNS, CLONE_NEWUSER | CLONE_NEWNET, CLONE_NEWNS };
	const char *names[] = { "unshare-user", "unshare-user-mount", "unshare-user-net", "unshare-mount" };
	for (int i = 0; i < 4; i++) {
		fflush(stdout);
		int child = fork();
		if (child == 0) {
			tell(names[i], unshare(spaces[i]));
			fflush(stdout);
			_exit(0);
		}
		waitpid(child, 0, 0);
	}
	fflush(stdout);
	long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	tell("clone-user", child);
	call("clone3", SYS_clone3, 0, 0, 0, 0, 0);
}

static void machine(void)
{
	struct io_uring_params params = { 0 };
	call("keys", SYS_keyctl, 0, -3, 0, 0, 0);
	call("add-key", SYS_add_key, (long)"user", (long)"k", (long)"v", 1, -3);
	call("bpf", SYS_bpf, 0, 0, 0, 0, 0);
	call("perf", SYS_perf_event_open, 0, 0, -1, -1, 0);
	call("userfaultfd", SYS_userfaultfd, 1, 0, 0, 0, 0);
	call("io-uring", SYS_io_uring_setup, 1, (long)&params, 0, 0, 0);
	call("kexec", SYS_kexec_load, 0, 0, 0, 0, 0);
	call("module", SYS_init_module, 0, 0, (long)"", 0, 0);
	call("reboot", SYS_reboot, 0xfee1dead, 672274793, 0, 0, 0);
	call("swap", SYS_swapoff, (long)"/dev/vda", 0, 0, 0, 0);
	call("host-name", SYS_sethostname, (long)"owned", 5, 0, 0, 0);
	call("ports", SYS_iopl, 3, 0, 0, 0, 0);
	call("log", SYS_syslog, 3, 0, 0, 0, 0);
	call("type-in", SYS_ioctl, 10, 0x5412, (long)"x", 0, 0);
	call("second-table", 0x40000000 | SYS_getpid, 0, 0, 0, 0, 0);
	long result;
	// getpid of the 32-bit numbering.
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
	printf("32-bit %ld\n", result < 0 ? -result : 0);
}

static void descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	printf("descriptors");
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
			printf(" %s", entry->d_name);
	printf("\n");
	closedir(dir);
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	setvbuf(stdout, 0, _IOLBF, 0);
	descriptors();
	files(argv[1]);
	processes(atoi(argv[2]));
	networks(argv[3], atoi(argv[4]));
	for (int i = 5; i < argc; i++) {
		char name[32];
		snprintf(name, sizeof(name), "socket-%d", i - 5);
		try_unix(name, argv[i], SOCK_STREAM);
		snprintf(name, sizeof(name), "datagrams-%d", i - 5);
		try_unix(name, argv[i], SOCK_DGRAM);
	}
	namespaces();
	machine();
	printf("tried\n");
	fflush(stdout);
	// Its neighbours look at it while it lives.
	pause();
	return 0;
}
