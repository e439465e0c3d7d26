"""The program that starts a service of the site: it opens the log and reads ``.env``, as the service's own user.

systemd would do both as root, and would follow a link that the deploy user or the service laid in the place of the
file: lines ``NAME=value`` of root's files would be loaded into a service whose code is the deploy user's.
"""

from __future__ import annotations

from mcc.core.provisioned import start_program
from mcc.model.conf import Conf
from mcc.provision.wanted import File

PERL = "/usr/bin/perl"
"""In every Debian: the package perl-base is essential there."""


def start_file(conf: Conf) -> File:
    """The program, to be run as ``perl FILE LOG VARIABLES COMMAND…``."""
    return File(start_program(conf.server.base), _TEXT, "units")


# The reader does what mcc.core.dotenv does, letter by letter: what `mcc env list` prints is what a service gets.
_TEXT = r"""# Starts a service of the site, as the service's user: perl THIS-FILE LOG VARIABLES COMMAND...
# Output goes to LOG; lines NAME=value of VARIABLES, if that is there, go into the environment. None is run as code.
use strict;
use warnings;
use Errno qw(ENOENT);

my ($log, $variables, @command) = @ARGV;
open STDOUT, '>>', $log or die "cannot write $log: $!\n";
open STDERR, '>&', \*STDOUT or die "cannot write $log: $!\n";

my $text = '';
if (open my $file, '<', $variables) {
    local $/;
    $text = <$file> // die "cannot read $variables: $!\n" unless -z $file;
} elsif ($! != ENOENT) {
    my $user = getpwuid $>;
    die "cannot read $variables as $user: $! (setfacl -m u:$user:r $variables; mcc env set does it too)\n";
}
load($text);
exec { $command[0] } @command or die "cannot run $command[0]: $!\n";

sub load {
    for ($_[0]) {
        while (1) {
            if (/\G[ \t\r\n]+/gc or /\G[#;][^\r\n]*/gc) { next }
            if (/\G([^=\r\n]*)=/gc) { my $name = $1; assign($name, value()) }
            else { /\G[^\r\n]+/gc or last }
        }
    }
}

sub assign {
    my ($name, $value) = @_;
    $name =~ s/[ \t]+\z//;
    $name =~ s/\Aexport[ \t]+//;
    $ENV{$name} = $value if $name =~ /\A[A-Za-z_][A-Za-z0-9_]*\z/;
}

# What stands behind the =: parts in quotes first, then letters; from a # behind a blank on it is a comment.
sub value {
    my $start = pos;
    my ($value, $blanks, $bare) = ('', '', 0);
    while (1) {
        if (!$bare and /\G'([^']*)'/gc) { $value .= $1 }
        elsif (!$bare and /\G"([^"\\]*(?:\\.[^"\\]*)*)"/gcs) { $value .= unescaped($1) }
        elsif (!$bare and /\G["']/gc) { return rest_of_line($start) }
        elsif (/\G(?<=[ \t])#[^\r\n]*/gc) { return $value }
        elsif (/\G([ \t]+)/gc) { $blanks .= $1 if $bare }
        elsif (/\G(?:\\(.?)|([^\r\n]))/gcs) {
            my $letter = $2 // ($1 =~ /[\r\n]/ ? '' : $1);
            $value .= $blanks . $letter;
            ($blanks, $bare) = ('', 1);
        }
        else { return $value }
    }
}

sub unescaped { # in double quotes
    my ($part) = @_;
    $part =~ s{\\(?:(["\\\$`])|[\r\n]|(.))}{$1 // (defined $2 ? "\\$2" : '')}ges;
    return $part;
}

sub rest_of_line { # a quote that nothing closes counts for its line alone
    pos = $_[0];
    /\G[ \t]*([^\r\n]*)/gc;
    my $rest = $1;
    $rest =~ s/[ \t]+\z//;
    return $rest;
}
"""
