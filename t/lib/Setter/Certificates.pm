package Setter::Certificates;

# Certificates in a temporary folder, gone with the object: NAME.pem and
# NAME.key, for
#
#   ca                  an authority, which issued those that follow
#   good                redis.test and 127.0.0.1
#   other               other.test and 127.0.0.2
#   expired             as good, until this moment
#   client              whoever connects
#   alone               as good, signed by itself
#
#   my $certificates = Setter::Certificates->make;
#   $certificates->file('ca.pem');
#   Setter::Redis->start($certificates->server('good'), 'tls-port' => $port);

use strict;
use warnings;

use File::Temp ();
use IPC::Run ();

my @new_key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);

sub make {
    my ($class) = @_;
    my $self = bless {
        dir => File::Temp->newdir('setter-certificates-XXXXXX', TMPDIR => 1),
    }, $class;

    $self->sign_alone('ca', 'DNS:ca.test', 'CA:TRUE');
    $self->sign_alone('alone', 'DNS:redis.test,IP:127.0.0.1', 'CA:FALSE');
    $self->issue('good', 'DNS:redis.test,IP:127.0.0.1', 2);
    $self->issue('other', 'DNS:other.test,IP:127.0.0.2', 2);
    $self->issue('expired', 'DNS:redis.test,IP:127.0.0.1', 0);
    $self->issue('client', 'DNS:client.test', 2);

    return $self;
}

sub dir { return "$_[0]{dir}" }

sub file { return "$_[0]{dir}/$_[1]" }

# Settings for a Redis that has the certificate of that name.
sub server {
    my ($self, $name) = @_;

    return ('tls-cert-file'    => $self->file("$name.pem"),
            'tls-key-file'     => $self->file("$name.key"),
            'tls-ca-cert-file' => $self->file('ca.pem'),
            'tls-auth-clients' => 'no');
}

sub openssl {
    my $output;

    IPC::Run::run(['openssl', @_], \undef, '>&', \$output)
        or die "openssl @_: $output";
}

sub sign_alone {
    my ($self, $name, $hosts, $constraints) = @_;

    openssl('req', '-x509', @new_key, '-subj', "/CN=$name", '-days', 2,
        '-addext', "subjectAltName=$hosts",
        '-addext', "basicConstraints=critical,$constraints",
        '-keyout', $self->file("$name.key"), '-out',
        $self->file("$name.pem"));
}

sub issue {
    my ($self, $name, $hosts, $days) = @_;

    openssl('req', @new_key, '-subj', "/CN=$name",
        '-addext', "subjectAltName=$hosts", '-keyout',
        $self->file("$name.key"), '-out', $self->file("$name.csr"));
    openssl('x509', '-req', '-in', $self->file("$name.csr"),
        '-CA', $self->file('ca.pem'), '-CAkey', $self->file('ca.key'),
        '-CAcreateserial', '-copy_extensions', 'copy', '-days', $days,
        '-out', $self->file("$name.pem"));
}

1;
