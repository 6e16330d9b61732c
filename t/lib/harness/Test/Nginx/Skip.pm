package Test::Nginx::Skip;

# skip_nginx and its relatives: blocks that this nginx cannot run, and todo.

use strict;
use warnings;

use Test::Builder;

use Test::Nginx::Sections;
use Test::Nginx::Util;

my %compares = (
    '<'  => sub { $_[0] <  $_[1] },
    '<=' => sub { $_[0] <= $_[1] },
    '>'  => sub { $_[0] >  $_[1] },
    '>=' => sub { $_[0] >= $_[1] },
    '==' => sub { $_[0] == $_[1] },
    '!=' => sub { $_[0] != $_[1] },
);


# Returns (number of tests, reason) when the block is to be skipped.
sub wanted {
    my ($block) = @_;

    for my $section (qw(skip_nginx skip_nginx2 skip_openssl skip_eval)) {
        my $text = Test::Nginx::Sections::value($block, $section) // next;
        my ($tests, $rest) = split_count($block, $section, $text);
        my ($condition, $reason) = $section eq 'skip_eval'
            ? ($rest) : split /\s*:\s*/, $rest, 2;
        next if !holds($block, $section, $condition);
        return ($tests, $reason // "$section: $condition");
    }

    return;
}


# Returns (number of tests, reason) when the block is expected to fail.
sub todo {
    my ($block) = @_;

    my $text = Test::Nginx::Sections::value($block, 'todo');
    return split_count($block, 'todo', $text) if defined $text;

    $text = Test::Nginx::Sections::value($block, 'todo_nginx') // return;
    my ($tests, $rest) = split_count($block, 'todo_nginx', $text);
    my ($condition, $reason) = split /\s*:\s*/, $rest, 2;
    return if !holds($block, 'todo_nginx', $condition);
    return ($tests, $reason // "todo_nginx: $condition");
}


sub split_count {
    my ($block, $section, $text) = @_;

    $text =~ /^\s*(\d+)\s*:\s*(.*?)\s*\z/s
        or die $block->name, ": $section needs \"N: ...\"\n";
    return ($1, $2);
}


sub holds {
    my ($block, $section, $condition) = @_;

    if ($section eq 'skip_eval') {
        my $value = eval "package main; $condition";
        die $block->name, ": skip_eval: $@" if $@;
        return $value;
    }

    my $have = $section eq 'skip_openssl'
        ? openssl_version() : Test::Nginx::Util::version();
    my @parts = split /\s+(and|or)\s+/, $condition;
    my $holds = compare($block, $section, $have, shift @parts);

    while (@parts) {
        my ($join, $next) = splice @parts, 0, 2;
        my $also = compare($block, $section, $have, $next);
        $holds = $join eq 'and' ? $holds && $also : $holds || $also;
    }
    return $holds;
}


sub compare {
    my ($block, $section, $have, $text) = @_;

    my ($how, $major, $minor, $patch)
        = $text =~ /^\s*([<>=!]=?)\s*(\d+)\.(\d+)\.(\d+)[a-z]?\s*\z/
        or die $block->name, ": $section: \"$text\" compares nothing\n";

    return $compares{$how}->($have, ($major * 1000 + $minor) * 1000 + $patch);
}


sub openssl_version {
    my ($major, $minor, $patch) = Test::Nginx::Util::build_info()
        =~ /running with OpenSSL (\d+)\.(\d+)\.(\d+)/;
    ($major, $minor, $patch) = Test::Nginx::Util::build_info()
        =~ /built with OpenSSL (\d+)\.(\d+)\.(\d+)/ if !defined $patch;

    return defined $patch ? ($major * 1000 + $minor) * 1000 + $patch : 0;
}


# Says that so many tests of the block were not made.
sub skip {
    my ($block, $tests, $reason) = @_;

    my $test = Test::Builder->new;
    $test->skip($block->name . " - $reason") for 1 .. $tests;
}


1;
