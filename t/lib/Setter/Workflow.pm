package Setter::Workflow;

# Plays an n8n workflow's nodes in order, as far as the shipped ones need it:
# triggers, Set, If and HTTP Request, and in expressions paths of members,
# "?? null", JSON.stringify and a list's map(...).join(...).  What it does not
# know it dies of.
#
#   my $flow = Setter::Workflow->new($file);
#   my @names = $flow->play(settings => { … }, credentials => { … });

use strict;
use warnings;

use HTTP::Tiny;
use JSON::XS ();

my $json = JSON::XS->new->utf8->canonical->allow_nonref;

sub new {
    my ($class, $file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    my $flow = $json->decode(<$in>);

    return bless { connections => $flow->{connections},
        nodes => { map { $_->{name} => $_ } @{ $flow->{nodes} } } }, $class;
}

# settings: replace values of the Set node; credentials: name => value of the
# header Authorization; nodes: where to stop.  Returns the names of the nodes
# that ran.
sub play {
    my ($self, %with) = @_;
    my %state = (%with, out => {});
    my ($name) = grep { $self->{nodes}{$_}{type} =~ /[tT]rigger$/ }
        sort keys %{ $self->{nodes} };
    my @names;

    while (defined $name) {
        my $node = $self->{nodes}{$name} or die "no node \"$name\"\n";
        push @names, $name;
        my $way = run($node, \%state);
        last if @names == ($with{nodes} // 100);
        my $next = $self->{connections}{$name}{main}[$way] // [];
        $name = $next->[0] && $next->[0]{node};
    }
    return @names;
}

# Which way on, 0 or 1.
sub run {
    my ($node, $state) = @_;
    my ($type) = $node->{type} =~ /^n8n-nodes-base\.(\w+)$/
        or die "$node->{type}\n";
    my $p = $node->{parameters};
    my $way = 0;

    if ($type eq 'set') {
        my %set = map { $_->{name} => value($_->{value}, $state) }
            @{ $p->{assignments}{assignments} };
        output($node, $state, { %set, %{ $state->{settings} // {} } });

    } elsif ($type eq 'if') {
        my ($test, @more) = @{ $p->{conditions}{conditions} };
        die "conditions\n" if @more || $test->{operator}{type} ne 'number'
            || $test->{operator}{operation} ne 'equals';
        $way = value($test->{leftValue}, $state) == $test->{rightValue}
            ? 0 : 1;
        output($node, $state, $state->{json});

    } elsif ($type eq 'httpRequest') {
        $way = request($node, $state);

    } elsif ($type !~ /Trigger$/) {
        die "cannot play $type\n";
    }
    return $way;
}

sub output {
    my ($node, $state, $data) = @_;

    $state->{json} = $state->{out}{ $node->{name} } = $data;
}

sub request {
    my ($node, $state) = @_;
    my $p = $node->{parameters};
    my $name = $node->{credentials}{ $p->{genericAuthType} }{name};
    my $url = value($p->{url}, $state);
    my @query = map { "$_->{name}=" . value($_->{value}, $state) }
        @{ $p->{queryParameters}{parameters} // [] };
    my %options = (headers => { Authorization => $state->{credentials}{$name}
        // die "no credential \"$name\"\n" });

    $url .= '?' . join '&', @query if @query;
    if ($p->{sendBody}) {
        my $body = value($p->{jsonBody}, $state);
        $options{content} = $json->encode($json->decode($body));
        $options{headers}{'Content-Type'} = 'application/json';
    }

    my $answer = HTTP::Tiny->new(timeout => $p->{options}{timeout} / 1000)
        ->request($p->{method}, $url, \%options);
    my $response = $p->{options}{response}{response};
    output($node, $state, { statusCode => $answer->{status},
        body => scalar eval { $json->decode($answer->{content}) } });

    return 0 if $answer->{success} || $response->{neverError};
    die "$node->{name}: $answer->{status} $answer->{content}\n"
        if ($node->{onError} // '') ne 'continueErrorOutput';
    return 1;
}

# A parameter's value: text, or behind "=" a template.
sub value {
    my ($text, $state) = @_;

    return $text if $text !~ s/^=//;
    return expression($1, $state) if $text =~ /\A\{\{ (.*?) \}\}\z/s
        && index($1, '}}') < 0;
    return $text =~ s/\{\{ (.*?) \}\}/expression($1, $state)/gser;
}

sub expression {
    my ($text, $state) = @_;

    return $json->encode(expression($1, $state))
        if $text =~ /\AJSON\.stringify\((.*)\)\z/s;

    if ($text =~ /\A(.*)\.map\((\w+) => \2\.([\w.]+)\)\.join\('(.*)'\)\z/s) {
        my ($list, $path, $by) = ($1, $3, $4);
        $by =~ s/\\n/\n/g;
        return join $by, map { walk($_, $path) }
            @{ expression($list, $state) };
    }

    my $null = $text =~ s/ \?\? null\z//;
    my ($from, $path) = $text =~ /\A(?:\$json|\$\('([^']+)'\)\.item\.json)
        \.([\w.\[\]]+)\z/x ? ($1, $2) : die "cannot play \"$text\"\n";
    my $value = walk(defined $from ? $state->{out}{$from} : $state->{json},
        $path);

    die "$text: there is none\n" if !defined $value && !$null;
    return $value;
}

sub walk {
    my ($value, $path) = @_;

    for my $step ($path =~ /(\w+)/g) {
        $value = ref $value eq 'ARRAY' ? $value->[$step] : $value->{$step};
    }
    return $value;
}

1;
