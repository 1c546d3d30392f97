#!/usr/bin/perl
# Every hook command: hands its arguments to the emulator's socket and prints the answer. In Perl,
# which is on every Debian and starts within milliseconds, as Juju's own commands do: without any
# module, since each one takes longer to load than all the rest.

sub netstring { my ($text) = @_; return length($text) . ":$text,"; }

sub content { my ($path) = @_; local $/; open(my $file, '<', $path) or die "$path: $!"; <$file> }

my ($name) = $0 =~ m{([^/]+)$};
my @arguments = ($name, @ARGV);
my $takes_input = grep({ $_ eq '--file' } @arguments) && grep({ $_ eq '-' } @arguments);
my $input = $takes_input ? do { local $/; <STDIN> } : '';
my @files = map { /#file=(.*)/s ? ($1, content($1)) : () } @arguments;
my $question = join '', map { netstring($_) } (
    $ENV{JUJU_CONTEXT_ID} // '', scalar(@arguments), @arguments, $input, @files
);

my $address = $ENV{JUJU_AGENT_SOCKET_ADDRESS} // '/var/lib/juju/agent/agent.sock';
$address =~ s/^\@//;
my ($unix, $stream) = (1, 1); # AF_UNIX and SOCK_STREAM, as Linux has them
socket(my $agent, $unix, $stream, 0) or die "socket: $!";
connect($agent, pack('S a108', $unix, $address)) or die "$address: $!";
while (length $question) { substr($question, 0, syswrite($agent, $question) // die "$!") = '' }
shutdown($agent, 1);
my $answer = do { local $/; <$agent> };
my ($status, $printed) = $answer =~ /^(\d+)\n(\d+)\n/ or die 'no answer';
my $start = length($status) + length($printed) + 2;
print STDOUT substr($answer, $start, $printed);
print STDERR substr($answer, $start + $printed);
exit $status;
