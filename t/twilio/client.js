// The vendor's client, as a test wants it.  One JSON object on standard input
// asks, one on standard output answers:
//   {"sign": {token, url, form}}          -> {signature}
//   {"sign": {token, url, body}}          -> {url, signature}: of a JSON body
//   {"check": {token, url, form, signature}}  -> {good}
//   {"send": {base, account, token, message}} -> {sid, status} or {error}

'use strict';

const twilio = require('twilio');
const { getExpectedBodyHash, getExpectedTwilioSignature, validateRequest } =
    twilio;

function sign({ token, url, form, body }) {
    if (body !== undefined) {
        url += (url.includes('?') ? '&' : '?') + 'bodySHA256='
            + getExpectedBodyHash(body);
    }

    return { url, signature: getExpectedTwilioSignature(token, url,
                                                        form || {}) };
}

async function send({ base, account, token, message }) {
    const client = twilio(account, token);

    client.api.baseUrl = base;

    try {
        const { sid, status } = await client.messages.create(message);

        return { sid, status };
    } catch (error) {
        return { error: error.code || error.message };
    }
}

async function main() {
    const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
    let answer;

    if (asked.sign) {
        answer = sign(asked.sign);
    } else if (asked.check) {
        const { token, url, form, signature } = asked.check;

        answer = { good: validateRequest(token, signature, url, form) };
    } else {
        answer = await send(asked.send);
    }

    console.log(JSON.stringify(answer));
}

main();
