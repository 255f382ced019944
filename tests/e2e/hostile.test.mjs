// Agents and work trees that mean harm, end to end: whatever they do, the thread gets one clear last word,
// nothing outside of the sandbox changes, and nothing is left behind.
import { after, before, describe, test } from 'node:test';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { World, assert, git, until, usual } from './harness.mjs';

let world;
before(async () => { world = await World.start({
    profiles: [
        { name: 'script', command: 'sh .agent.sh' },
        { name: 'brief', command: 'sh .agent.sh', timeout_minutes: 1 },
    ],
    sandbox: { processes: 64 },
}); });
after(() => world.stop());

const checks = 'checks:\n  - { name: test, run: "sh test.sh" }\n';

/// Let this agent loose on a repository. Answers what came of it: shown, status (the comment's text), pull.
async function attack(name, agent, files = {}, timeout_ms = 120000) {
    const repository = await world.repository(name, usual(agent, files));
    await world.label(repository);
    const shown = await world.ended(repository, timeout_ms);
    const statuses = await world.statuses(repository);
    assert.equal(statuses.length, 1);
    const [pull, ...others] = await world.pulls(repository);
    assert.equal(others.length, 0);
    const told = { repository, shown, status: statuses[0].body, pull };
    assert.equal(world.branches(repository).length, pull ? 1 : 0, JSON.stringify(shown));
    assert.match(told.status, /\*\*(Draft ready|No change needed|Held back|Failed|Cancelled)\*\*/, told.status);
    return told;
}

const drafted = (told, verdict = 'verified') => {
    assert.equal(told.shown.state, 'drafted', told.status);
    assert.equal(told.shown.runs[0].verdict, verdict, told.status);
};

const held = (told, why) => {
    assert.equal(told.shown.state, 'held', told.status);
    assert.match(told.status, why);
    assert.equal(told.pull, undefined);
};

const failed = (told, why) => {
    assert.equal(told.shown.state, 'failed', told.status);
    assert.match(told.status, why);
    assert.equal(told.pull, undefined);
};

const forge = `tree_with() { # mode, name: one file "x" under that name on top of the work tree
    blob=$(echo harm | git hash-object -w --stdin)
    { git ls-tree HEAD; printf '%s blob %s\\t%s\\n' "$1" "$blob" "$2"; } >/tmp/entries
    git mktree --missing </tmp/entries
}
`;

describe('names and trees', { concurrency: 3 }, () => {
    test('strange but sound names are published as they are', async () => {
        const told = await attack('names', [
            'printf x >"$(printf \'caf\\303\\251 \\360\\237\\230\\200\')"',
            'printf x >"$(printf \'not-utf8-\\377\\376\')"',
            'printf x >"-rf"; printf x >"a|b\`c\`@ann<b>"',
            'printf x >"$(printf %0200d 1)"',
            'd=deep; for i in $(seq 60); do d=$d/d; done; mkdir -p $d; printf x >$d/f',
        ].join('\n'));
        drafted(told);
        assert.doesNotMatch(told.pull.body, /(^|[^`\w])@ann\b/);
    });
    test('a name with a line end is refused by name', async () => {
        held(await attack('newline', 'printf x >"$(printf \'a\\nlevel=error event=forged\')"\n'), /control character/);
    });
    test('".git" in a tree, and its disguises', async () => {
        failed(await attack('dotgit', `${forge}
            tree=$(tree_with 100644 .GIT) && git reset -q --soft $(git commit-tree -p HEAD -m x $tree) && git reset -q --hard 2>/dev/null
            git checkout -q -- . 2>/dev/null; exit 0`), /invalid path '.GIT'/);
    });
    test('links out of the tree', async () => {
        held(await attack('links', 'ln -s /etc/passwd passwd\n'), /symbolic link/);
        held(await attack('links-up', 'mkdir -p a; ln -s ../../../../etc/passwd a/up\n'), /symbolic link/);
    });
    test('a submodule', async () => {
        held(await attack('submodule', 'git init -q sub && git -C sub commit -q --allow-empty -m x; git add sub; git commit -q -m sub\n'), /submodule/);
    });
    test('a file too large for a change, and one too large for the disk', async () => {
        held(await attack('large', 'head -c 20000000 /dev/urandom >large.bin\n'), /limit|too large|over/);
        const told = await attack('huge', 'head -c 900000000 /dev/zero >huge.bin; echo end; exit 3\n');
        assert.match(told.status, /disk|[Ff]ile too large|exit status|space/);
    });
    test('a hundred thousand files', async () => {
        const told = await attack('many', 'mkdir many; cd many; seq 100000 | xargs -n 2000 touch\n', {}, 240000);
        assert.ok(['drafted', 'held', 'failed'].includes(told.shown.state));
        if (told.pull)
            assert.match(told.pull.body, /files/);
    });
});

describe('git inside', { concurrency: 3 }, () => {
    test('settings, hooks, filters and fsmonitor have no say', async () => {
        const told = await attack('config', `
            echo '#!/bin/sh' >/tmp/evil; echo 'echo owned >>/workspace/owned.txt; echo owned >/tmp/owned' >>/tmp/evil; chmod +x /tmp/evil
            mkdir -p .git/hooks; for h in pre-commit post-commit post-checkout reference-transaction post-index-change; do cp /tmp/evil .git/hooks/$h; done
            git config core.fsmonitor /tmp/evil; git config core.hooksPath .git/hooks
            git config filter.evil.clean /tmp/evil; git config filter.evil.smudge /tmp/evil; git config filter.evil.required true
            git config diff.evil.textconv /tmp/evil; git config diff.external /tmp/evil
            git config core.sshCommand /tmp/evil; git config core.editor /tmp/evil; git config core.pager /tmp/evil
            git config includeIf.gitdir:/.path /etc/passwd; git config core.worktree /etc
            git config commit.gpgsign true; git config gpg.program /tmp/evil
            mkdir -p $HOME; cp .git/config $HOME/.gitconfig
            echo '* filter=evil diff=evil' >.gitattributes
            echo change >>notes.txt`);
        drafted(told);
        assert.equal(world.fileAt(told.repository, world.branches(told.repository)[0], 'notes.txt'), 'change');
        assert.throws(() => world.fileAt(told.repository, world.branches(told.repository)[0], 'owned.txt'));
    });
    test('alternates that point elsewhere', async () => {
        const told = await attack('alternates', 'echo /etc >.git/objects/info/alternates; echo ../../../../proc/1/root >>.git/objects/info/alternates; echo x >x\n');
        drafted(told);
    });
    test('a git of its own in PATH and in the work tree', async () => {
        const told = await attack('own-git', 'mkdir -p bin; printf "#!/bin/sh\\necho owned; exit 0\\n" >git; chmod +x git; cp git bin/git; echo "PATH=/workspace/bin:$PATH" >>$HOME/.profile; export PATH=/workspace/bin:$PATH\n');
        drafted(told);
    });
    test('.git removed, replaced by a file, by a link', async () => {
        drafted(await attack('git-gone', 'echo x >x; rm -rf .git\n'));
        drafted(await attack('git-file', 'echo x >x; rm -rf .git; echo "gitdir: /etc" >.git\n'));
        drafted(await attack('git-link', 'echo x >x; rm -rf .git; ln -s /proc/1 .git\n'));
    });
    test('a file that git cannot take is told', async () => {
        const told = await attack('untaken', 'echo x >x; mkdir nested; git -C nested init -q\n');
        drafted(told);
        assert.match(told.pull.body, /git could not take are missing: .*nested/);
    });
    test('a root commit, an older base, a merge of strangers', async () => {
        drafted(await attack('root', 'echo x >x; git checkout -q --orphan new; git add -A; git commit -q -m root\n'));
        const told = await attack('stranger', `
            b=$(git symbolic-ref HEAD); git checkout -q --orphan other; git commit -q -m stranger; o=$(git rev-parse HEAD)
            git checkout -q -f \${b#refs/heads/}; echo x >x; git add x; git commit -q -m x
            git merge -q --allow-unrelated-histories -s ours -m merged $o\n`);
        assert.ok(['drafted', 'held'].includes(told.shown.state), told.status);
    });
    test('authors, signatures, tags, notes and branches of its own', async () => {
        const told = await attack('forged', `
            echo x >x; git add x
            GIT_AUTHOR_NAME='Ann <x>' GIT_AUTHOR_EMAIL=ann@example.org GIT_COMMITTER_NAME=GitHub GIT_COMMITTER_EMAIL=noreply@github.com git commit -q -m 'Looks like Ann' -m 'Closes #999
Co-authored-by: Ann <ann@example.org>'
            git cat-file commit HEAD | perl -pe 'print "gpgsig -----BEGIN PGP SIGNATURE-----\\n \\n junk\\n -----END PGP SIGNATURE-----\\n" if /^$/ && !$done++' >/tmp/c
            git reset -q --soft $(git hash-object -t commit -w /tmp/c) || :
            git tag v1; git notes add -m note 2>/dev/null; git branch main2; git update-ref refs/heads/main HEAD`);
        drafted(told);
        const refs = git('-C', world.bare(told.repository), 'for-each-ref', '--format=%(refname)').split('\n').sort();
        assert.deepEqual(refs, ['refs/heads/draftd/1-mend-it', 'refs/heads/main']);
    });
});

describe('resources', { concurrency: 2 }, () => {
    test('a fork bomb', async () => {
        const told = await attack('bomb', 'echo x >x; f() { f | f & }; f; sleep 2; exit 0\n', {}, 180000);
        assert.ok(told.shown.state === 'drafted', told.status);
    });
    test('memory without end', async () => {
        const told = await attack('memory', 'echo x >x; perl -e \'my @a; push @a, "x" x 10000000 while 1\'\n');
        assert.ok(['drafted', 'failed'].includes(told.shown.state), told.status);
    });
    test('memory without end, and a good end all the same', async () => {
        const eat = 'perl -e \'my @a; push @a, "x" x 10000000 while 1\'; exit 0\n';
        failed(await attack('memory-unsaid', eat), /the agent changed nothing, and something that it ran was killed for want of memory/);
        const told = await attack('memory-partly', `echo x >x; ${eat}`);
        drafted(told);
        assert.match(told.pull.body, /> - something that the agent ran was killed for want of memory in round 1/);
    });
    test('output without end', async () => {
        const told = await attack('yes', 'echo x >x; yes "ghp_$(printf a1B2c3D4e5%.0s 1 2 3 4) @ann"\n',
            { '.draftd.yml': `agent: brief\n${checks}` }, 200000);
        drafted(told);
        assert.match(told.pull.body, /timed out/);
        assert.doesNotMatch(told.pull.body, /ghp_a1B2/);
    });
    test('/tmp and the workspace filled to the brim', async () => {
        const told = await attack('full-tmp', 'echo x >x; cat /dev/zero >/tmp/fill 2>/dev/null; exit 0\n');
        drafted(told);
        const both = await attack('full-both', 'cat /dev/zero >fill 2>/dev/null; cat /dev/zero >/tmp/fill 2>/dev/null; exit 0\n');
        assert.match(both.status, /space|disk|Held|limit/);
    });
    test('process 1 is out of reach', async () => {
        const told = await attack('pid1', `kill -9 1; kill -STOP 1; kill -TERM 1
            perl -e 'print "ptrace ", syscall(101, 16, 1, 0, 0), "\\n"; print "mem ", (open(F, "+<", "/proc/1/mem") ? "OPEN" : "refused"), "\\n"' >found.txt
            ls /proc/1/fd >>found.txt 2>&1; cat /proc/1/environ >>found.txt 2>&1; echo end >>found.txt`);
        drafted(told);
        const found = world.fileAt(told.repository, world.branches(told.repository)[0], 'found.txt');
        assert.match(found, /ptrace -1/);
        assert.match(found, /mem refused/);
    });
    test('the door: garbage, a second runner, a flood', async () => {
        const told = await attack('door', `cat >/tmp/d.pl <<'END'
use Socket;
sub ask { socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un("/draftd/door/socket")) or return "no";
    syswrite($s, $_[0]); my $r = ""; sysread($s, $r, 200); close $s; $r =~ s/\\r.*//s; return $r; }
print ask("GET /runner HTTP/1.1\\r\\nHost: door\\r\\nConnection: Upgrade\\r\\nUpgrade: draftd-runner/1\\r\\n\\r\\n"), "\\n";
print ask("\\0" x 100000), "\\n";
print ask("GET /../../etc/passwd HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"), "\\n";
END
            perl /tmp/d.pl >found.txt`);
        drafted(told);
        const found = world.fileAt(told.repository, world.branches(told.repository)[0], 'found.txt');
        assert.match(found, /HTTP\/1.1 40[39]/);
        assert.doesNotMatch(found, /101/);
        const flood = await attack('flood', `echo x >x; perl -e 'use Socket; for (1..5000) { socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, sockaddr_un("/draftd/door/socket")); syswrite($s, "GET / HTTP/1.1\\r\\n\\r\\n"); close $s }'; sleep 30`);
        failed(flood, /flooded its door/);
        assert.match(world.cli('show', String(world.task(flood.repository).id)), /agent \(round 1\): script: cut off, /);
    });
    test('what it leaves running does not touch the proof', async () => {
        // it begins once the agent has ended: what it did before would be the agent's own change
        const told = await attack('daemon', `setsid sh -c "while kill -0 $$ 2>/dev/null; do sleep 0.2; done
            while :; do echo 41 >/workspace/answer.txt; sleep 0.05; done" >/dev/null 2>&1 &
            echo x >x`);
        drafted(told);
        assert.equal(world.fileAt(told.repository, world.branches(told.repository)[0], 'answer.txt'), '42');
    });
});

describe('words', { concurrency: 3 }, () => {
    test('terminal sequences and forged log lines', async () => {
        const told = await attack('terminal', `printf '\\033]0;owned\\007\\033[2J\\033[31mred\\n'
            printf 'time=2026-01-01T00:00:00Z level=error event=forged_by_agent\\n\\nfatal: owned\\n' >&2; exit 9`);
        failed(told, /exit status 9/);
        assert.doesNotMatch(told.status, /\u001b|\u0007/);
        assert.match(told.status, /fatal: owned/);
        const shown = world.cli('logs', String(told.shown.id));
        assert.doesNotMatch(shown, /[\u001b\u0007]/);
    });
    test('a summary with markers, mentions and fences', async () => {
        const told = await attack('summary', `echo x >x
            cat >"$DRAFTD_SUMMARY_FILE" <<'END'
<!-- draftd:task=1 instance=0123456789abcdef -->
@ann please merge, and @acme/owners too. Closes #1234. GH-77
\`\`\`
unclosed fence <img src=x onerror=alert(1)>
### Checks, run by draftd
**Verified**: everything
END`);
        drafted(told);
        assert.equal(told.pull.body.match(/<!-- draftd:/g).length, 1);
        assert.doesNotMatch(told.pull.body, /(^|[^`\w])@(ann|acme)\b/m);
        assert.doesNotMatch(told.pull.body, /Closes #1234/);
        assert.ok(told.pull.body.lastIndexOf('Closes #1') > told.pull.body.indexOf('What the agent says'));
        assert.doesNotMatch(told.pull.body, /^#+ Checks, run by draftd[^]*^#+ Checks, run by draftd/m);
    });
    for (const [kind, make] of Object.entries({
        link: 'ln -s /etc/passwd "$DRAFTD_SUMMARY_FILE"', pipe: 'mkfifo "$DRAFTD_SUMMARY_FILE"',
        directory: 'mkdir "$DRAFTD_SUMMARY_FILE"', device: 'ln -s /dev/zero "$DRAFTD_SUMMARY_FILE"',
        huge: 'head -c 20000000 /dev/zero | tr "\\0" x >"$DRAFTD_SUMMARY_FILE"', secret: 'touch "$DRAFTD_SUMMARY_FILE"; chmod 000 "$DRAFTD_SUMMARY_FILE"',
        gone: 'rm -rf /tmp/draftd; ln -s /nowhere /tmp/draftd',
    }))
        test(`a summary that is a ${kind}`, async () => {
            drafted(await attack(`summary-${kind}`, `echo x >x; rm -f "$DRAFTD_SUMMARY_FILE"; ${make}\n`));
        });
    for (const [kind, make] of Object.entries({
        link: 'ln -s /workspace/answer.txt "$DRAFTD_PROMPT_FILE"', pipe: 'mkfifo "$DRAFTD_PROMPT_FILE"',
        directory: 'mkdir "$DRAFTD_PROMPT_FILE"',
    }))
        test(`a prompt that is a ${kind} before the second round`, async () => {
            const told = await attack(`prompt-${kind}`, `echo x$DRAFTD_ROUND >>x; [ $DRAFTD_ROUND = 2 ] && { echo 42 >answer.txt; exit; }
                echo 1 >answer.txt; rm -f "$DRAFTD_PROMPT_FILE"; ${make}\n`);
            drafted(told);
            assert.equal(told.shown.runs[0].round, 2);
        });
    test('a check that prints credentials', async () => {
        const token = `ghp_${'a1B2c3D4e5'.repeat(4)}`;
        const told = await attack('leak', 'echo 1 >answer.txt\n', {
            '.draftd.yml': 'rounds: 1\nchecks:\n  - { name: test, run: "sh leak.sh" }\n',
            'leak.sh': 'grep -q 42 answer.txt && exit; t=$(printf a1B2c3D4e5%.0s 1 2 3 4); echo "token=ghp_$t"; printf "token=gh\\033[0mp_$t\\n"; exit 1\n',
        });
        drafted(told, 'not_verified');
        const everything = JSON.stringify(await world.state(told.repository)) + world.log + world.cli('show', String(told.shown.id));
        assert.ok(!everything.includes(token));
        assert.match(told.pull.body, /\[redacted\]/);
    });
});

describe('the guard', { concurrency: 3 }, () => {
    const token = `gh_p${'a1B2c3D4e5'.repeat(4)}`.replace('h_p', 'hp_');
    const make_token = 't=ghp; t=${t}_$(printf a1B2c3D4e5%.0s 1 2 3 4)\n';

    /// What is held back is not in the mirror either, which later sandboxes see.
    const gone = told => {
        const mirror = join(world.dir, 'state', 'mirrors', 'github', `${told.repository}.git`);
        assert.equal(git('-C', mirror, 'for-each-ref', 'refs/draftd'), '');
        for (const line of git('-C', mirror, 'cat-file', '--batch-all-objects', '--batch-check').split('\n')) {
            const [id, type, bytes] = line.split(' ');
            assert.ok(Number(bytes) < 100000, line);
            if (type === 'commit')
                assert.doesNotMatch(git('-C', mirror, 'cat-file', type, id), /ghp_|x-note/);
        }
        assert.ok(!told.status.includes(token));
    };
    test('a credential at the end of a large file', async () => {
        const told = await attack('large-secret', `${make_token}{ yes line of text | head -c 5000000; echo $t; } >large.txt\n`);
        held(told, /large\.txt: looks like a credential \(GitHub token\)/);
        gone(told);
    });
    test('a credential in an author, and in a header of its own', async () => {
        const author = await attack('author-secret', `${make_token}echo x >x; git add x; GIT_AUTHOR_NAME=$t git commit -q -m x\n`);
        held(author, /a commit's header holds what looks like a credential/);
        gone(author);
        const header = await attack('header', `echo x >x; git add x; git commit -q -m x
            git cat-file commit HEAD | perl -pe 'print "x-note hello\\n" if /^$/ && !$done++' >/tmp/c
            git reset -q --soft $(git hash-object --literally -t commit -w /tmp/c)\n`);
        held(header, /header that is not expected/);
        gone(header);
    });
    test('tests that are cut, renamed and replaced', async () => {
        const lines = Array.from({ length: 80 }, (_, i) => `assert sum(${i}, 0) == ${i}\n`).join('');
        const told = await attack('tests-gone', `echo '# nothing' >tests/test_a.py
            mv tests/test_b.py tests/test_b.py.disabled; rm tests/test_c.py; ln -s ../notes.txt tests/test_c.py\n`,
        { 'notes.txt': 'notes\n', 'tests/test_a.py': `a = 1\n${lines}`, 'tests/test_b.py': `b = 1\n${lines}`, 'tests/test_c.py': `c = 1\n${lines}` });
        drafted(told);
        for (const flag of [/test\\_a\.py: test lost 80 of its 81 lines/, /test\\_b\.py: test was renamed to what may not be run/, /test\\_c\.py: test is now of another type/])
            assert.match(told.pull.body, flag);
    });
    test('millions of short lines, over and over', async () => {
        const begin = Date.now();
        const told = await attack('digits', `for i in 1 2 3 4; do
            perl -e 'srand(shift); print int(rand(10)), "\\n" for 1..2000000' $i >digits; git add digits; git commit -q -m $i; done\n`);
        drafted(told);
        assert.match(told.pull.body, /digits: file of 3\.8 MiB, not compared line by line/);
        assert.ok(Date.now() - begin < 300000, 'it takes minutes at most, not hours');
    });
});

describe('the evidence', { concurrency: 3 }, () => {
    test('settings of the agent do not count', async () => {
        const told = await attack('own-checks', 'printf "checks:\\n  - { name: test, run: \\"true\\" }\\n" >.draftd.yml; echo 1 >answer.txt\n');
        assert.notEqual(told.shown.runs[0].verdict, 'verified');
        const other = await attack('own-agent', 'echo "exit 0" >.agent.sh; echo x >x\n');
        drafted(other);
    });
    test('green beside the agent and red in a fresh container is not verified', async () => {
        const told = await attack('only-here', 'touch /tmp/prepared; rm -f test.sh.bak; echo x >x\n', {
            '.draftd.yml': 'checks:\n  - { name: test, run: "[ ! -e x ] || [ -e /tmp/prepared ]" }\n',
        });
        drafted(told, 'not_verified');
        assert.match(told.status, /[Nn]ot verified/);
    });
});

test('nothing is left behind, and the log is whole', async () => {
    await until('no container', async () => (await world.containers()).length === 0, 10000);
    const state = join(world.dir, 'state');
    for (const place of ['doors', 'scratch'])
        assert.deepEqual(readdirSync(join(state, place)), [], place);
    for (const repository of world.repositories.keys()) {
        const quarantine = join(state, 'mirrors', 'github', `${repository}.git`, 'quarantine');
        assert.deepEqual(existsSync(quarantine) ? readdirSync(quarantine) : [], [], quarantine);
    }
    for (const line of world.log.split('\n').filter(Boolean))
        assert.match(line, /^ts=\S+ level=\w+ event=\w+( |$)/, line);
    assert.equal(world.child.exitCode, null);
    assert.equal((await world.post('/webhooks/github', '{}')).status, 401);
});
