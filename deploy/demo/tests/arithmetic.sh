# Results of every operator.
failed=0

prints()
{
    expected=$1
    shift
    actual=$(./calc "$@" 2>&1)
    if [ "$actual" = "$expected" ]; then
        echo "ok: calc $* = $expected"
    else
        echo "not ok: calc $* prints '$actual' instead of '$expected'"
        failed=1
    fi
}

prints 5 2 + 3
prints 5 5 + 0
prints -1 2 - 3
prints 42 6 x 7
prints 0 6 x 0
prints 4 12 / 3
exit $failed
