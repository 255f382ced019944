# Plays the coding agent of the quickstart, with two prepared answers. draftd cannot tell the difference: it
# treats this as it would treat any agent, and believes nothing of what it says.
echo "This is a script, not a model. Round $DRAFTD_ROUND of task $DRAFTD_TASK."
echo "The prompt is $(wc -l <"$DRAFTD_PROMPT_FILE") lines long; the work tree is $(pwd)."

refuse_zero='fprintf(stderr, "calc: division by zero\\n");'
if [ "$DRAFTD_ROUND" = 1 ]; then
    echo "Refusing a right operand of 0 before the operator is looked at."
    sed -i "/^    switch/i\\
    if (b == 0) {\\
        $refuse_zero\\
        return 1;\\
    }" calc.c
    echo "calc refuses to divide by zero. All checks pass." >"$DRAFTD_SUMMARY_FILE"
    exit 0
fi

if ! grep -q 'not ok: calc 5 + 0' "$DRAFTD_PROMPT_FILE"; then
    echo "The prompt does not say what failed, and this script knows one answer only." >&2
    exit 1
fi
echo "The prompt says that 5 + 0 fails now: only division may refuse 0."
sed -i '/^    if (b == 0) {/,/^    }/d' calc.c
sed -i "/^    case '\/':/a\\
        if (b == 0) {\\
            $refuse_zero\\
            return 1;\\
        }" calc.c
echo "calc refuses to divide by zero, and still adds and subtracts it." >"$DRAFTD_SUMMARY_FILE"
