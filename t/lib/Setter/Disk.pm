package Setter::Disk;

# A disk that misbehaves, for the jobs in the spool of the nginx of a suite:
# a library that is loaded before libc and asks a file what to do.  To be used
# before Test::Nginx::Socket.
#
#   disk('slow 30');        # each fdatasync() takes 30 ms
#   disk('lost');           # each fails, as of a disk that is gone
#   disk('unreadable');     # bytes 4096 to 8191 of a file cannot be read
#   disk('');               # all is well
#
# and tmpfs('256k') is a folder on a file system of that size, or nothing
# where none can be mounted.

use strict;
use warnings;

use Exporter qw(import);
use File::Temp ();

our @EXPORT = qw(disk tmpfs);

my $dir = File::Temp->newdir('setter-disk-XXXXXX', TMPDIR => 1);
my $owner = $$;
my @mounted;

build();
disk('');
$ENV{LD_PRELOAD} = "$dir/disk.so";
$ENV{ASAN_OPTIONS} = join ':', grep { defined && length }
    $ENV{ASAN_OPTIONS}, 'verify_asan_link_order=0';

sub disk {
    my ($fault) = @_;
    open my $file, '>', "$dir/fault.new" or die "fault: $!";
    print $file $fault;
    close $file;
    rename "$dir/fault.new", "$dir/fault" or die "fault: $!";
}

sub tmpfs {
    my ($size) = @_;
    my $folder = "$dir/tmpfs" . @mounted;
    mkdir $folder, 0700 or die "$folder: $!";
    return if system('mount', '-t', 'tmpfs', '-o', "size=$size,mode=0700",
        'tmpfs', $folder) != 0;
    push @mounted, $folder;
    return $folder;
}

# Before the folder goes; what still uses it keeps it until it ends.
END {
    local $?;
    if ($$ == $owner) {
        system 'umount', '-l', $_ for @mounted;
    }
}

sub build {
    open my $source, '>', "$dir/disk.c" or die "disk.c: $!";
    print $source qq(#define FAULT "$dir/fault"\n), <<'EOC';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What to do with this descriptor; "" where it is none of the spool's. */
static const char *fault(int fd, char text[64])
{
    char link[64], path[1024];
    ssize_t n;
    int file;

    text[0] = '\0';
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0) return text;
    path[n] = '\0';
    if (strstr(path, "/jobs-") == NULL) return text;

    file = syscall(SYS_openat, AT_FDCWD, FAULT, O_RDONLY);
    if (file == -1) return text;
    n = syscall(SYS_read, file, text, 63);
    text[n > 0 ? n : 0] = '\0';
    close(file);
    return text;
}

int fdatasync(int fd)
{
    char text[64];

    fault(fd, text);
    if (strncmp(text, "slow ", 5) == 0) usleep(1000 * atoi(text + 5));
    if (strcmp(text, "lost") == 0) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_fdatasync, fd);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t at)
{
    char text[64];

    if (at + (off64_t) len > 4096 && at < 8192
        && strcmp(fault(fd, text), "unreadable") == 0)
    {
        if (at >= 4096) {
            errno = EIO;
            return -1;
        }
        len = 4096 - at;
    }
    return syscall(SYS_pread64, fd, buf, len, at);
}

ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
    return pread64(fd, buf, len, at);
}
EOC
    close $source;
    system('cc', '-shared', '-fPIC', '-O1', '-o', "$dir/disk.so",
        "$dir/disk.c") == 0 or die "disk.so cannot be built\n";
}

1;
